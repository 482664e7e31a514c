/* SPDX-License-Identifier: MIT */
/* What a relay between a payload and a service manager costs. PATH is a socket file.
 *
 *   peer relay FROM TO                passes on what comes to the socket FROM, until a signal ends it
 *   peer crowd PATH COUNT SENDERS     sends as fast as the receiver takes, from so many processes at once, and half as many before, to warm up
 *   peer spread PATTERN COUNT SOCKETS sends to each of so many; later as fast as they take, to all in turn: their paths are PATTERN with a number for its %, if it has one
 *   peer stamp PATH COUNT RATE        sends so many a second, each with the time at which it was sent
 *   peer collect PATH BEFORE COUNT    receives until SIGTERM. When it has the messages that are measured, it
 *                                     tells in one line of JSON how long they took together, what processor time
 *                                     the process used meanwhile that they came from, and of those with a time
 *                                     how long each was under way; all in nanoseconds
 *
 * What a relay says by itself (READY=1) comes first, and is not counted. */
#define _GNU_SOURCE
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* After this time without a message, one was lost. */
#define PATIENCE_US 20000000L
#define SECOND_NS   1000000000LL

/* All that a relay has to do for each message: it must know who sent it, and there must be room for descriptors. */
void
relay(const char *from, const char *to) {
    static struct arrival arrival;
    int out = open_socket(to, connect), in = open_receiver(from, 0);
    for (;;) {
        if (!take(in, 0, &arrival)) continue;
        if (sendto(out, arrival.text, arrival.length, MSG_NOSIGNAL, NULL, 0) < 0) die("sendto");
    }
}

/* A ping or a status alone may give way to a later one; the two together do not. */
#define BEGINNING "WATCHDOG=1\nSTATUS="
static const char message[] = BEGINNING "working";

static void
send_all(int fd, long count) {
    while (count-- > 0)
        if (send(fd, message, sizeof message - 1, MSG_NOSIGNAL) < 0) die("send");
}

void
crowd(const char *path, long count, long senders) {
    int fd = open_socket(path, connect), status;
    send_all(fd, count / WARM_UP);
    for (long i = 0; i < senders; i++) {
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid > 0) continue;
        /* A socket of its own, with a send buffer of its own. */
        send_all(open_socket(path, connect), count / senders);
        _exit(0);
    }
    while (wait(&status) > 0)
        if (status != 0) exit(1);
    puts("{}");
}

static int
open_one_of(const char *pattern, long number) {
    char path[4096];
    const char *percent = strchr(pattern, '%');
    if (!percent) return open_socket(pattern, connect);
    snprintf(path, sizeof path, "%.*s%ld%s", (int) (percent - pattern), pattern, number, percent + 1);
    return open_socket(path, connect);
}

static void
send_in_turn(const int *fds, long sockets, long count) {
    for (long i = 0; i < count; i++)
        if (send(fds[i % sockets], message, sizeof message - 1, MSG_NOSIGNAL) < 0) die("send");
}

void
spread(const char *pattern, long count, long sockets) {
    struct rlimit files;
    int *fds = calloc(sockets, sizeof *fds);
    if (!fds || getrlimit(RLIMIT_NOFILE, &files) < 0) die("spread");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0) die("setrlimit");
    for (long i = 0; i < sockets; i++) fds[i] = open_one_of(pattern, i);
    /* What is new with the first one of each, such as its status, the daemon writes down a moment later. */
    send_in_turn(fds, sockets, sockets);
    sleep(2);
    send_in_turn(fds, sockets, count / WARM_UP);
    send_in_turn(fds, sockets, count);
    puts("{}");
}

void
stamp(const char *path, long count, long rate) {
    char text[64];
    int fd = open_socket(path, connect);
    long long start = clock_of(CLOCK_MONOTONIC);
    for (long i = 1; i <= count; i++) {
        long long due = start + i * SECOND_NS / rate;
        struct timespec time = { due / SECOND_NS, due % SECOND_NS };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
        int length = snprintf(text, sizeof text, BEGINNING "%lld", clock_of(CLOCK_MONOTONIC));
        if (send(fd, text, length, MSG_NOSIGNAL) < 0) die("send");
    }
    puts("{}");
}

/* The processor time of the process that has sent this; without a relay between, it may have ended. */
static long long
time_of_sender(struct arrival *arrival) {
    clockid_t clock;
    struct cmsghdr *control = CMSG_FIRSTHDR(&arrival->header);
    struct ucred sender = { 0 };
    if (control && control->cmsg_type == SCM_CREDENTIALS) memcpy(&sender, CMSG_DATA(control), sizeof sender);
    return clock_getcpuclockid(sender.pid, &clock) == 0 ? clock_of(clock) : 0;
}

static void
take_one(int fd, struct arrival *arrival, long number) {
    do {
        if (take(fd, 0, arrival)) continue;
        fprintf(stderr, "message %ld does not come\n", number + 1);
        exit(1);
    } while (!strncmp(arrival->text, "READY=1", 7));
}

void
collect(const char *path, long before, long count) {
    static struct arrival arrival;
    long long *under_way = calloc(count, sizeof *under_way);
    int fd = open_receiver(path, PATIENCE_US);
    if (!under_way) die("calloc");
    for (long i = 0; i < before; i++) take_one(fd, &arrival, i);
    long stamped = 0;
    long long start = clock_of(CLOCK_MONOTONIC), cpu = 0;
    for (long i = 0; i < count; i++) {
        take_one(fd, &arrival, before + i);
        long long now = clock_of(CLOCK_MONOTONIC);
        if (i == 0) cpu = time_of_sender(&arrival);
        arrival.text[arrival.length] = '\0';
        long long sent = atoll(arrival.text + strlen(BEGINNING));
        if (sent > 0) under_way[stamped++] = now - sent;
    }
    printf("{\"wall\":%lld,\"cpu\":%lld,\"measured\":%ld,\"times\":[", clock_of(CLOCK_MONOTONIC) - start,
           time_of_sender(&arrival) - cpu, count);
    for (long i = 0; i < stamped; i++) printf("%s%lld", i ? "," : "", under_way[i]);
    puts("]}");
    fflush(stdout);
    for (;;) (void) take(fd, 0, &arrival);
}
