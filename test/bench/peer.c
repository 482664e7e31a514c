/* SPDX-License-Identifier: MIT */
/* The other end of the benchmark, and what it is compared with. PATH is a socket file.
 *
 *   peer sink PATH NAP                receives and counts until SIGTERM. NAP 0: waits in recvmsg(2); otherwise
 *                                     takes what there is and then sleeps for so many microseconds
 *   peer sendmsg PATH COUNT PACE      sends, as fast as the receiver takes (PACE "flood"), or in bursts that
 *   peer send PATH COUNT PACE         its queue has room for (PACE "paced"): sendmsg(2), send(2),
 *   peer sd_notify PATH COUNT PACE    sd_notify(3) of libsystemd
 *   peer receive PATH COUNT           receives with credentials and room for descriptors
 *   peer payload PATH 0               sends READY=1, and stays until SIGTERM
 *   peer relay, crowd, spread, stamp, collect see forwarding.c
 *
 * A receiver prints a line when it has its name. At the end comes one line of JSON: nanoseconds on the clock
 * and of the processor, and the number of messages; a sender has sent half as many more, to warm up, and a
 * receiver has received that. Exit code 77: there is no libsystemd. */
#define _GNU_SOURCE
#include "peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BURST = 200, PAUSE_NS = 2000000 };

static const char message[] = "WATCHDOG=1";
static volatile sig_atomic_t stopped;

void
die(const char *what) {
    perror(what);
    exit(1);
}

long long
clock_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void
nap(long microseconds) {
    struct timespec time = { 0, microseconds * 1000 };
    nanosleep(&time, NULL);
}

/* Of all messages those after the warm-up were measured. */
void
report(long long wall, long long cpu, long measured, long messages) {
    printf("{\"wall\":%lld,\"cpu\":%lld,\"measured\":%ld,\"messages\":%ld}\n", wall, cpu, measured, messages);
}

int
open_socket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof address.sun_path) exit(2);
    strcpy(address.sun_path, path);
    if (fd < 0 || use(fd, (struct sockaddr *) &address, sizeof address) < 0) die(path);
    return fd;
}

int
open_receiver(const char *path, long patience_us) {
    struct timeval patience = { patience_us / 1000000, patience_us % 1000000 };
    int on = 1;
    int fd = open_socket(path, bind);
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    puts("ready");
    fflush(stdout);
    return fd;
}

int
take(int fd, int flags, struct arrival *arrival) {
    struct iovec vector = { arrival->text, sizeof arrival->text - 1 };
    arrival->header = (struct msghdr){ .msg_iov = &vector,
                                       .msg_iovlen = 1,
                                       .msg_control = arrival->control.bytes,
                                       .msg_controllen = sizeof arrival->control.bytes };
    arrival->length = recvmsg(fd, &arrival->header, MSG_CMSG_CLOEXEC | MSG_TRUNC | flags);
    if (arrival->length >= 0) return 1;
    if (errno != EAGAIN && errno != EINTR) die("recvmsg");
    return 0;
}

static void
stop(int signal) {
    (void) signal;
    stopped = 1;
}

static void
sink(const char *path, long nap_us) {
    static struct arrival arrival;
    long count = 0;
    signal(SIGTERM, stop);
    int fd = open_receiver(path, NOW_AND_THEN_US);
    while (!stopped) {
        while (take(fd, nap_us ? MSG_DONTWAIT : 0, &arrival)) count++;
        if (nap_us) nap(nap_us);
    }
    while (take(fd, MSG_DONTWAIT, &arrival)) count++;
    report(0, 0, count, count);
}

static void
stay(int fd) {
    static const char ready[] = "READY=1";
    signal(SIGTERM, stop);
    /* It does not outlive a bridge that is killed. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (send(fd, ready, sizeof ready - 1, MSG_NOSIGNAL) < 0) die("send");
    puts("ready");
    fflush(stdout);
    while (!stopped) pause();
}

static void
receive_all(int fd, long count) {
    static struct arrival arrival;
    while (count > 0) count -= take(fd, 0, &arrival);
}

static void
receive(const char *path, long count) {
    int fd = open_receiver(path, NOW_AND_THEN_US);
    receive_all(fd, count / WARM_UP);
    long long wall = clock_of(CLOCK_MONOTONIC), cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    receive_all(fd, count);
    report(clock_of(CLOCK_MONOTONIC) - wall, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, count,
           count / WARM_UP + count);
}

static int connected;
static int (*sd_notify)(int, const char *);

static void
send_by_sendmsg(void) {
    struct iovec vector = { (void *) message, sizeof message - 1 };
    struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
    if (sendmsg(connected, &header, MSG_NOSIGNAL) < 0) die("sendmsg");
}

static void
send_by_send(void) {
    if (send(connected, message, sizeof message - 1, MSG_NOSIGNAL) < 0) die("send");
}

static void
send_by_libsystemd(void) {
    if (sd_notify(0, message) <= 0) die("sd_notify");
}

static void
load_libsystemd(const char *path) {
    void *library = dlopen("libsystemd.so.0", RTLD_NOW);
    if (library) *(void **) &sd_notify = dlsym(library, "sd_notify");
    if (!sd_notify) exit(77);
    setenv("NOTIFY_SOCKET", path, 1);
}

/* Busy, because whoever took this processor meanwhile would leave its caches cold for the next burst. */
static void
pause_between_bursts(void) {
    long long end = clock_of(CLOCK_MONOTONIC) + PAUSE_NS;
    while (clock_of(CLOCK_MONOTONIC) < end) continue;
}

/* Tells what it took without the pauses. */
static void
send_all(void (*send_one)(void), long count, int paced, long long *wall, long long *cpu) {
    *wall = *cpu = 0;
    while (count > 0) {
        long burst = paced && count > BURST ? BURST : count;
        long long cpu_before = clock_of(CLOCK_PROCESS_CPUTIME_ID), before = clock_of(CLOCK_MONOTONIC);
        for (long i = 0; i < burst; i++) send_one();
        *wall += clock_of(CLOCK_MONOTONIC) - before;
        *cpu += clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_before;
        count -= burst;
        if (paced) pause_between_bursts();
    }
}

static void
measure(void (*send_one)(void), long count, int paced) {
    long long wall, cpu;
    send_all(send_one, count / WARM_UP, paced, &wall, &cpu);
    send_all(send_one, count, paced, &wall, &cpu);
    report(wall, cpu, count, count / WARM_UP + count);
}

int
main(int argc, char **argv) {
    if (argc < 4) return 2;
    const char *mode = argv[1], *path = argv[2];
    long number = atol(argv[3]);
    int paced = argc > 4 && !strcmp(argv[4], "paced");

    if (!strcmp(mode, "sink")) {
        sink(path, number);
    } else if (!strcmp(mode, "receive")) {
        receive(path, number);
    } else if (!strcmp(mode, "payload")) {
        stay(open_socket(path, connect));
    } else if (!strcmp(mode, "relay")) {
        relay(path, argv[3]);
    } else if (!strcmp(mode, "crowd") && argc > 4) {
        crowd(path, number, atol(argv[4]));
    } else if (!strcmp(mode, "spread") && argc > 4) {
        spread(path, number, atol(argv[4]));
    } else if (!strcmp(mode, "stamp") && argc > 4) {
        stamp(path, number, atol(argv[4]));
    } else if (!strcmp(mode, "collect") && argc > 4) {
        collect(path, number, atol(argv[4]));
    } else if (!strcmp(mode, "sd_notify")) {
        load_libsystemd(path);
        measure(send_by_libsystemd, number, paced);
    } else {
        connected = open_socket(path, connect);
        measure(!strcmp(mode, "send") ? send_by_send : send_by_sendmsg, number, paced);
    }
    return 0;
}
