/* SPDX-License-Identifier: MIT */
/* What the programs of the benchmark share. */
#ifndef PEER_H
#define PEER_H

#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

enum { WARM_UP = 2 /* one part in so many */, DESCRIPTORS = 253 };

/* For a call that waits: it comes back, to see whether it is time to stop. */
#define NOW_AND_THEN_US 50000

/* A message as it was received, and from whom. */
struct arrival {
    char text[4096 + 1 /* for a NUL */];
    long length;
    struct msghdr header;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int)) + CMSG_SPACE(3 * sizeof(int) /* struct ucred */)];
    } control;
};

void die(const char *what);
long long clock_of(clockid_t clock);
/* Nanoseconds: of all messages, those that came after the warm-up were measured. */
void report(long long wall, long long cpu, long measured, long messages);
int open_socket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t));
/* Says that it is there. A call that waits comes back after `patience_us`; 0: when there is something. */
int open_receiver(const char *path, long patience_us);
/* Returns 1, or 0 if nothing is there. */
int take(int fd, int flags, struct arrival *arrival);

void relay(const char *from, const char *to);
void crowd(const char *path, long count, long senders);
void spread(const char *pattern, long count, long sockets);
void stamp(const char *path, long count, long rate);
void collect(const char *path, long before, long count);

#endif
