/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "closer.h"
#include "sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

/* Each descriptor whose close blocks holds one thread; the next ones get another, up to this many. */
#define MOST_THREADS 32
/* How many stay when there is nothing to do. */
#define MOST_IDLE 2

struct job {
    struct job *next;
    int32_t fd;
};

/* Shared by all environments of the process, and never torn down: the threads hold nothing of an
 * environment, and the binary is linked so that it stays mapped (-z nodelete). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *first, **last = &first;
static unsigned threads, idle, queued;
static bool starting;

/* Changes with each job. Idle threads wait for that on a futex: a condition variable has two forms in
 * glibc, and an eventfd could be closed by a program that closes too much, and become another's descriptor. */
static uint32_t submissions;

static void *run(void *);

/* With the lock held: sees to it that somebody looks at the queue soon, even if all threads at work block.
 * One thread is started at a time; it looks whether there is need for the next. */
static int
ensure_thread(void) {
    uint64_t thread;
    if (queued == 0 || idle > 0 || starting || threads >= MOST_THREADS) return 0;

    int error = sys_thread_start(&thread, run, NULL);
    if (error) return threads > 0 ? 0 : error;
    sys_thread_detach(thread);
    starting = true;
    threads++;
    return 0;
}

/* Returns the oldest job. If there is none, counts the thread as idle and says since when, or, where enough
 * are idle, as gone (*stay is false then). */
static struct job *
take(bool *stay, uint32_t *since) {
    (void) pthread_mutex_lock(&lock);
    struct job *job = first;
    *stay = job || idle < MOST_IDLE;
    if (job) {
        first = job->next;
        if (!first) last = &first;
        queued--;
        (void) ensure_thread();
    } else if (*stay) {
        idle++;
        *since = submissions;
    } else {
        threads--;
    }
    (void) pthread_mutex_unlock(&lock);
    return job;
}

static void *
run(void *unused) {
    bool stay = true;
    uint32_t since = 0;

    (void) unused;
    (void) pthread_mutex_lock(&lock);
    starting = false;
    (void) pthread_mutex_unlock(&lock);

    for (;;) {
        struct job *job = take(&stay, &since);
        if (job) {
            (void) sys_close(job->fd);
            free(job);
        } else if (stay) {
            (void) sys_call(SYS_futex, (long) &submissions, FUTEX_WAIT_PRIVATE, since, 0, 0);
            (void) pthread_mutex_lock(&lock);
            idle--;
            (void) pthread_mutex_unlock(&lock);
        } else {
            return NULL;
        }
    }
}

static int
submit(int32_t fd) {
    struct job *job = malloc(sizeof *job);
    if (!job) return -ENOMEM;
    job->next = NULL;
    job->fd = fd;

    (void) pthread_mutex_lock(&lock);
    queued++;
    int error = ensure_thread();
    if (error) {
        queued--;
    } else {
        *last = job;
        last = &job->next;
        submissions++;
    }
    (void) pthread_mutex_unlock(&lock);

    if (error)
        free(job);
    else
        (void) sys_call(SYS_futex, (long) &submissions, FUTEX_WAKE_PRIVATE, 1, 0, 0);
    return error;
}

void
closer_submit(const int32_t *fds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (submit(fds[i])) (void) sys_close(fds[i]);
}

int
closer_close_socket(int fd) {
    struct pollfd poll = { .fd = fd, .events = POLLIN };
    struct timespec now = { 0, 0 };
    int32_t number = fd;

    if (sys_call(SYS_ppoll, (long) &poll, 1, (long) &now, 0, 0) != 1 || !(poll.revents & POLLIN))
        return sys_close(fd);
    closer_submit(&number, 1);
    return 0;
}
