/* SPDX-License-Identifier: MIT */
/* Drives the poller and the closer from several threads at once, without Node, for ThreadSanitizer (threads.js). */
#define _GNU_SOURCE
#include "../../native/closer.h"
#include "../../native/poller.h"
#include "../../native/sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DRIVERS 4
#define ROUNDS  100

static atomic_uint ready_count;

static void
check(const char *what, int holds) {
    if (holds) return;
    (void) fprintf(stderr, "threads: %s\n", what);
    exit(1);
}

static void
on_ready(void *context, int fd, uint32_t generation, uint32_t events) {
    (void) fd;
    (void) generation;
    (void) events;
    atomic_fetch_add((atomic_uint *) context, 1);
    ready_count++;
}

/* As an environment does: starts a poller, watches, closes on threads, stops. */
static void *
drive(void *unused) {
    (void) unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct poller *poller = calloc(1, sizeof *poller);
        atomic_uint *seen = calloc(1, sizeof *seen);
        int ends[2];
        check("memory", poller && seen);
        check("a poller", poller_start(poller, on_ready, seen) == 0);
        check("a pipe", sys_pipe(ends) == 0);
        for (uint32_t generation = 1; generation <= 5; generation++) {
            check("a watch", poller_watch(poller, ends[1], generation, EPOLLOUT) == 0);
            if (generation % 2) (void) poller_watch(poller, ends[0], generation, EPOLLIN);
            if (round % 2)
                while (atomic_load(seen) < generation) (void) usleep(10);
        }
        if (round % 3) check("the end of a watch", poller_unwatch(poller, ends[1]) == 0);
        check("the end of a poller", poller_stop(poller));
        free(poller);
        free(seen); /* Nobody looks at it after the end. */

        int32_t fds[8] = { ends[0], ends[1] };
        for (int i = 2; i < 8; i++) fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        closer_submit(fds, 8);
        int socket = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
        check("a socket", socket >= 0 && closer_close_socket(socket) == 0);
    }
    return NULL;
}

static int
count_open(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

int
main(void) {
    pthread_t threads[DRIVERS];
    int before = count_open();
    for (int i = 0; i < DRIVERS; i++) check("a thread", !pthread_create(&threads[i], NULL, drive, NULL));
    for (int i = 0; i < DRIVERS; i++) (void) pthread_join(threads[i], NULL);
    check("no event was seen", ready_count > 0);
    for (int tries = 0; count_open() > before; tries++) {
        check("a descriptor is left", tries < 10000);
        (void) usleep(1000);
    }
    (void) fprintf(stderr, "threads: done, %u events\n", ready_count);
    return 0;
}
