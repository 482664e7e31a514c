/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <pthread.h>
#include <signal.h>

/* A helper thread takes no signals: they belong to Node's own threads. The mask is inherited, so it is
 * set around the start and not in the thread, which could be hit before it came that far.
 *
 * By the library's functions, not by the system call: they leave out the signals that the library sends
 * itself. With those blocked too, setuid(2) and its family would wait for this thread for ever. */
int
sys_thread_start(uint64_t *thread, sys_thread_function function, void *argument) {
    sigset_t all, before;
    pthread_t handle;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&handle, NULL, function, argument);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (error) return -error;
    *thread = (uint64_t) handle;
    return 0;
}

void
sys_thread_join(uint64_t thread) {
    (void) pthread_join((pthread_t) thread, NULL);
}

void
sys_thread_detach(uint64_t thread) {
    (void) pthread_detach((pthread_t) thread);
}
