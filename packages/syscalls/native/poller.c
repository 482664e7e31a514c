/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "poller.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define EVENTS_PER_WAIT 64

static uint64_t
key(int fd, uint32_t generation) {
    return (uint64_t) generation << 32 | (uint32_t) fd;
}

static int
control(struct poller *poller, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = events;
    event.data.u64 = data;
    return (int) sys_call(SYS_epoll_ctl, poller->epoll_fd, operation, fd, (long) &event, 0);
}

static void *
run(void *argument) {
    struct poller *poller = argument;
    struct epoll_event events[EVENTS_PER_WAIT];

    for (;;) {
        long count = sys_call(SYS_epoll_pwait, poller->epoll_fd, (long) events, EVENTS_PER_WAIT,
                              -1 /* no time limit */, 0 /* no signal mask */);
        if (poller->stopping || (count < 0 && count != -EINTR)) return NULL;

        for (long i = 0; i < count; i++) {
            int fd = (int) (uint32_t) events[i].data.u64;
            if (fd == poller->stop_fd) return NULL;
            poller->ready(poller->context, fd, (uint32_t) (events[i].data.u64 >> 32), events[i].events);
        }
    }
}

int
poller_start(struct poller *poller, poller_ready ready, void *context) {
    int error;

    poller->ready = ready;
    poller->context = context;
    poller->stopping = false;
    poller->stop_fd = -1;
    poller->epoll_fd = (int) sys_call(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0);
    if (poller->epoll_fd < 0) return poller->epoll_fd;

    error = poller->stop_fd = (int) sys_call(SYS_eventfd2, 0, O_CLOEXEC | O_NONBLOCK, 0, 0, 0);
    if (error < 0) goto fail;
    error = control(poller, EPOLL_CTL_ADD, poller->stop_fd, EPOLLIN, key(poller->stop_fd, 0));
    if (error < 0) goto fail;
    error = sys_thread_start(&poller->thread, run, poller);
    if (error < 0) goto fail;
    return 0;

fail:
    if (poller->stop_fd >= 0) (void) sys_close(poller->stop_fd);
    (void) sys_close(poller->epoll_fd);
    return error;
}

/* By a descriptor that is new and readable already. */
static int
wake_otherwise(struct poller *poller) {
    int fd = (int) sys_call(SYS_eventfd2, 1, O_CLOEXEC | O_NONBLOCK, 0, 0, 0);
    if (fd < 0) return fd;
    int error = control(poller, EPOLL_CTL_ADD, fd, EPOLLIN, key(poller->stop_fd, 0));
    if (error == 0) return fd;
    (void) sys_close(fd);
    return error;
}

bool
poller_stop(struct poller *poller) {
    uint64_t one = 1;
    int other = -1;

    poller->stopping = true;
    /* A join of a thread that has not heard of it would never return. */
    if (sys_call(SYS_write, poller->stop_fd, (long) &one, sizeof one, 0, 0) != sizeof one) {
        other = wake_otherwise(poller);
        if (other < 0) {
            sys_thread_detach(poller->thread);
            return false;
        }
    }
    sys_thread_join(poller->thread);
    if (other >= 0) (void) sys_close(other);
    (void) sys_close(poller->stop_fd);
    (void) sys_close(poller->epoll_fd);
    return true;
}

int
poller_watch(struct poller *poller, int fd, uint32_t generation, uint32_t events) {
    if (fd == poller->stop_fd) return -EPERM; /* The thread could not be ended any more. */

    /* Re-arming is the common case, so it is tried first. */
    int result = control(poller, EPOLL_CTL_MOD, fd, events | EPOLLONESHOT, key(fd, generation));
    if (result == -ENOENT)
        result = control(poller, EPOLL_CTL_ADD, fd, events | EPOLLONESHOT, key(fd, generation));
    return result;
}

int
poller_unwatch(struct poller *poller, int fd) {
    if (fd == poller->stop_fd) return -EPERM;
    return control(poller, EPOLL_CTL_DEL, fd, 0, 0);
}
