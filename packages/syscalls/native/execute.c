/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "execute.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

/* Same number on all architectures; Linux 5.9, the second flag 5.11. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

#define LAST_SIGNAL 64

struct attempt {
    const struct execution *execution;
    int parent_death_signal;
    int error;
};

typedef void (*handler)(int signal);

struct dispositions {
    struct sigaction before[LAST_SIGNAL + 1];
    handler interim[LAST_SIGNAL + 1];
    bool changed[LAST_SIGNAL + 1];
};

/* Limits and dispositions are the process': one attempt at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The thread's own descriptor table, in which everything ends with this program. Where close_range(2) cannot do
 * both at once, the descriptors that somebody has made without close-on-exec stay open. */
static int
leave_table(void) {
    if (sys_call(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC, 0, 0) == 0) return 0;
    return (int) sys_call(SYS_unshare, CLONE_FILES, 0, 0, 0, 0);
}

/* Above all numbers that will be used, first: a descriptor may be where another one is to go. */
static int
place_fds(int32_t *fds, size_t pairs) {
    long above = 2;
    for (size_t i = 0; i < pairs; i++)
        if (fds[2 * i] > above) above = fds[2 * i];

    for (size_t i = 0; i < pairs; i++) {
        long copy = sys_call(SYS_fcntl, fds[2 * i + 1], F_DUPFD_CLOEXEC, above + 1, 0, 0);
        if (copy < 0) return (int) copy;
        fds[2 * i + 1] = (int32_t) copy;
    }
    for (size_t i = 0; i < pairs; i++) {
        long result = sys_call(SYS_dup3, fds[2 * i + 1], fds[2 * i], 0, 0, 0);
        if (result < 0) return (int) result;
    }
    return 0;
}

static void
do_nothing(int signal) {
    (void) signal;
}

/* Those that a thread sends itself by what it does. V8 makes use of it, in any of its threads. */
static bool
is_fault(int signal) {
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP;
}

/* Says what becomes of a signal until this is another program, if anything.
 *
 * execve(2) keeps what is ignored and sets what is handled back to its default. So an ignored signal that the new
 * program must not ignore gets a handler that does nothing: until then, and if the call fails, this process is
 * as deaf to it as it was. A handled one has its default at once: a handler of ours must not run any more, as the
 * pipe that it writes to may be another file in the table of our thread, and a signal that it has heard would not
 * reach the new program. So a SIGTERM ends this process as it would end the next, a moment later. */
static bool
changes(int signal, const struct sigaction *before, bool ignore, handler *interim) {
    bool is_ignored = !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_IGN;
    bool is_default = !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_DFL;
    *interim = ignore ? SIG_IGN : is_ignored ? do_nothing : SIG_DFL;
    return ignore ? !is_ignored : !is_default && !is_fault(signal);
}

static void
set_dispositions(uint64_t ignored, struct dispositions *dispositions) {
    struct sigaction action;
    memset(dispositions, 0, sizeof *dispositions);
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_RESTART;

    for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
        struct sigaction *before = &dispositions->before[signal];
        if (signal == SIGKILL || signal == SIGSTOP || sigaction(signal, NULL, before) < 0) continue;

        bool ignore = (ignored >> (signal - 1) & 1) != 0;
        if (!changes(signal, before, ignore, &action.sa_handler)) continue;
        dispositions->interim[signal] = action.sa_handler;
        dispositions->changed[signal] = sigaction(signal, &action, NULL) == 0;
    }
}

/* But what another thread has changed meanwhile stays so: a default that is not ours has no flag. */
static void
restore_dispositions(const struct dispositions *dispositions) {
    struct sigaction now;
    for (int signal = 1; signal <= LAST_SIGNAL; signal++)
        if (dispositions->changed[signal] && sigaction(signal, NULL, &now) == 0 &&
            now.sa_handler == dispositions->interim[signal] && now.sa_flags & SA_RESTART)
            (void) sigaction(signal, &dispositions->before[signal], NULL);
}

/* Without those that the C library sends itself: with one of them blocked, setuid(2) would wait for this thread
 * for ever. They are not in what sigfillset() gives, in glibc and in musl. */
static void
set_mask(uint64_t signals) {
    sigset_t all;
    uint64_t allowed;
    (void) sigfillset(&all);
    memcpy(&allowed, &all, sizeof allowed);
    signals &= allowed;
    (void) sys_call(SYS_rt_sigprocmask, SIG_SETMASK, (long) &signals, 0, sizeof signals, 0);
}

/* Returns only if it fails. */
static int
attempt_in_own_table(const struct attempt *attempt) {
    const struct execution *execution = attempt->execution;
    struct dispositions dispositions;
    uint64_t limits[2];

    int error = place_fds(execution->fds, execution->fd_pairs);
    if (error < 0) return error;
    /* Only now: it may be lower than what is open here. */
    error = sys_get_nofile(limits);
    if (error < 0) return error;
    if (execution->file_limits) error = sys_set_nofile(execution->file_limits);
    if (error < 0) return error;

    /* A new thread has none of these. */
    (void) sys_call(SYS_prctl, PR_SET_PDEATHSIG, attempt->parent_death_signal, 0, 0, 0);
    set_dispositions(execution->ignored, &dispositions);
    set_mask(execution->blocked);
    error = (int) sys_call(SYS_execve, (long) execution->file, (long) execution->arguments,
                           (long) execution->environment, 0, 0);
    set_mask(~(uint64_t) 0);
    restore_dispositions(&dispositions);
    (void) sys_set_nofile(limits);
    return error;
}

/* On a thread of its own, because a descriptor table can be left but not joined again: if the call fails, the
 * thread ends with its table, and the process has not changed. The kernel makes the thread that succeeds the
 * process, with its number, its parent and all else but what is set here. */
static void *
run(void *argument) {
    struct attempt *attempt = argument;
    attempt->error = leave_table();
    if (attempt->error < 0) return NULL;

    attempt->error = attempt_in_own_table(attempt);
    /* Before the thread is joined: its end would come after that, and until then nothing that the process closes would
     * be closed. */
    (void) sys_call(SYS_close_range, 0, ~0u, 0, 0, 0);
    return NULL;
}

int
execute(const struct execution *execution) {
    struct attempt attempt = { execution, 0, 0 };
    uint64_t thread;

    (void) sys_call(SYS_prctl, PR_GET_PDEATHSIG, (long) &attempt.parent_death_signal, 0, 0, 0);
    (void) pthread_mutex_lock(&lock);
    int error = sys_thread_start(&thread, run, &attempt);
    if (!error) sys_thread_join(thread);
    (void) pthread_mutex_unlock(&lock);
    return error ? error : attempt.error;
}
