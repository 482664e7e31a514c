/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

/* What the kernel calls SIGRTMIN is 32; glibc keeps 32 and 33, musl 34 too, and sigaction() refuses those. */
#define FIRST_SIGNAL 34
#define LAST_SIGNAL  64

struct catcher {
    signals_arrived arrived; /* NULL: nobody catches it. */
    void *context;
    struct sigaction before;
};

/* Shared by all environments of the process. The thread is never torn down: it holds nothing of an
 * environment, and the binary stays mapped (-z nodelete). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct catcher catchers[LAST_SIGNAL + 1];
static bool running;

/* Written by the handler, on whatever thread the signal hits. */
static uint32_t counts[LAST_SIGNAL + 1];
static uint32_t total;

/* Async-signal-safe: atomic additions and one system call. Nothing that a program could close by mistake,
 * as it could the pipe that is usual here. */
static void
handle(int signal) {
    int error = errno;
    (void) __atomic_add_fetch(&counts[signal], 1, __ATOMIC_RELAXED);
    (void) __atomic_add_fetch(&total, 1, __ATOMIC_RELEASE);
    (void) sys_call(SYS_futex, (long) &total, FUTEX_WAKE_PRIVATE, 1, 0, 0);
    errno = error;
}

static void *
run(void *unused) {
    uint32_t seen = 0;
    (void) unused;
    for (;;) {
        uint32_t now = __atomic_load_n(&total, __ATOMIC_ACQUIRE);
        if (now == seen) {
            (void) sys_call(SYS_futex, (long) &total, FUTEX_WAIT_PRIVATE, (long) seen, 0, 0);
            continue;
        }
        seen = now;
        (void) pthread_mutex_lock(&lock);
        for (int signal = FIRST_SIGNAL; signal <= LAST_SIGNAL; signal++) {
            uint32_t count = __atomic_exchange_n(&counts[signal], 0, __ATOMIC_RELAXED);
            if (count > 0 && catchers[signal].arrived)
                catchers[signal].arrived(catchers[signal].context, count);
        }
        (void) pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static int
ensure_thread(void) {
    uint64_t thread;
    if (running) return 0;
    int error = sys_thread_start(&thread, run, NULL);
    if (error) return error;
    sys_thread_detach(thread);
    running = true;
    return 0;
}

static int
catch_locked(int signal, signals_arrived arrived, void *context) {
    struct sigaction action;

    if (catchers[signal].arrived) return -EBUSY;
    int error = ensure_thread();
    if (error) return error;

    __atomic_store_n(&counts[signal], 0, __ATOMIC_RELAXED);
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    if (sigaction(signal, &action, &catchers[signal].before) < 0) return -errno;
    catchers[signal].arrived = arrived;
    catchers[signal].context = context;
    return 0;
}

int
signals_catch(int signal, signals_arrived arrived, void *context) {
    if (signal < FIRST_SIGNAL || signal > LAST_SIGNAL) return -EINVAL;
    (void) pthread_mutex_lock(&lock);
    int result = catch_locked(signal, arrived, context);
    (void) pthread_mutex_unlock(&lock);
    return result;
}

int
signals_release(int signal, const void *context) {
    if (signal < FIRST_SIGNAL || signal > LAST_SIGNAL) return -EINVAL;
    (void) pthread_mutex_lock(&lock);
    bool ours = catchers[signal].arrived && catchers[signal].context == context;
    if (ours) {
        (void) sigaction(signal, &catchers[signal].before, NULL);
        catchers[signal].arrived = NULL;
    }
    (void) pthread_mutex_unlock(&lock);
    return ours ? 0 : -ENOENT;
}
