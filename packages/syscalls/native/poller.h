/* SPDX-License-Identifier: MIT */
/* One thread that waits on epoll and says which descriptor is ready. It reads nothing itself: the
 * reader decides how much it takes and when it wants to hear again, so a sender that is faster than
 * the reader fills the kernel's queue and not ours. */
#ifndef SDBRIDGE_POLLER_H
#define SDBRIDGE_POLLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Called on the poller's thread. */
typedef void (*poller_ready)(void *context, int fd, uint32_t generation, uint32_t events);

struct poller {
    int epoll_fd;
    int stop_fd;
    atomic_bool stopping;
    uint64_t thread;
    poller_ready ready;
    void *context;
};

int poller_start(struct poller *poller, poller_ready ready, void *context);
/* Joins the thread: `ready` is not called after this returns. False if the thread cannot be reached any more,
 * because the program has closed our descriptors: then it waits for ever, and the memory must stay. */
bool poller_stop(struct poller *poller);
/* Says once that `fd` is ready for `events` (EPOLLIN, EPOLLOUT); watching again re-arms it. */
int poller_watch(struct poller *poller, int fd, uint32_t generation, uint32_t events);
int poller_unwatch(struct poller *poller, int fd);

#endif
