/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "closer.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

/* Each descriptor whose close blocks holds one thread; the next ones get another, up to this many. */
#define MOST_THREADS 32

struct job {
    struct job *next;
    int32_t fd;
};

/* Shared by all environments of the process, and never torn down: the threads hold nothing of an
 * environment, and the binary is linked so that it stays mapped (-z nodelete). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *first, **last = &first;
static int wake_fd = -1;
static unsigned threads, idle, queued;

static struct job *
take(void) {
    (void) pthread_mutex_lock(&lock);
    struct job *job = first;
    if (job) {
        first = job->next;
        if (!first) last = &first;
        queued--;
    } else {
        idle++;
    }
    (void) pthread_mutex_unlock(&lock);
    return job;
}

static void *
run(void *unused) {
    (void) unused;
    for (;;) {
        struct job *job = take();
        if (job) {
            (void) sys_close(job->fd);
            free(job);
            continue;
        }
        uint64_t count;
        long result = sys_call(SYS_read, wake_fd, (long) &count, sizeof count, 0, 0);
        bool lost = result < 0 && result != -EINTR;
        (void) pthread_mutex_lock(&lock);
        idle--;
        if (lost) threads--;
        (void) pthread_mutex_unlock(&lock);
        /* Somebody closed our eventfd. No thread can wait without it: each ends when it has no job. */
        if (lost) return NULL;
    }
}

/* With the lock held. */
static int
ensure_thread(void) {
    uint64_t thread;
    if (wake_fd < 0) {
        wake_fd = (int) sys_call(SYS_eventfd2, 0, O_CLOEXEC | EFD_SEMAPHORE, 0, 0, 0);
        if (wake_fd < 0) return wake_fd;
    }
    if (idle >= queued || threads >= MOST_THREADS) return 0;
    int error = sys_thread_start(&thread, run, NULL);
    if (error == 0) threads++;
    return threads > 0 ? 0 : error;
}

static int
submit(int32_t fd) {
    struct job *job = malloc(sizeof *job);
    if (!job) return -1;
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
        uint64_t one = 1;
        (void) sys_call(SYS_write, wake_fd, (long) &one, sizeof one, 0, 0);
    }
    (void) pthread_mutex_unlock(&lock);
    if (error) free(job);
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
