/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "execute.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
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

struct dispositions {
    struct sigaction before[LAST_SIGNAL + 1];
    bool changed[LAST_SIGNAL + 1];
};

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

/* execve(2) keeps what is ignored and sets what is handled back to its default. So an ignored signal that the new
 * program must not ignore gets a handler that does nothing: until then, and if the call fails, this process is
 * as deaf to it as it was. */
static void
set_dispositions(uint64_t ignored, struct dispositions *dispositions) {
    struct sigaction action;
    memset(dispositions, 0, sizeof *dispositions);
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_RESTART;

    for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
        struct sigaction *before = &dispositions->before[signal];
        bool ignore = (ignored >> (signal - 1) & 1) != 0;
        if (signal == SIGKILL || signal == SIGSTOP || sigaction(signal, NULL, before) < 0) continue;

        bool is_ignored = !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_IGN;
        if (ignore == is_ignored) continue;
        action.sa_handler = ignore ? SIG_IGN : do_nothing;
        dispositions->changed[signal] = sigaction(signal, &action, NULL) == 0;
    }
}

static void
restore_dispositions(const struct dispositions *dispositions) {
    for (int signal = 1; signal <= LAST_SIGNAL; signal++)
        if (dispositions->changed[signal]) (void) sigaction(signal, &dispositions->before[signal], NULL);
}

/* On a thread of its own, because a descriptor table can be left but not joined again: if the call fails, the
 * thread ends with its table, and the process has not changed. The kernel makes the thread that succeeds the
 * process, with its number, its parent and all else but what is set here. */
static void *
run(void *argument) {
    struct attempt *attempt = argument;
    const struct execution *execution = attempt->execution;
    struct dispositions dispositions;

    attempt->error = leave_table();
    if (attempt->error < 0) return NULL;
    attempt->error = place_fds(execution->fds, execution->fd_pairs);
    if (attempt->error < 0) return NULL;

    /* A new thread has none of these. */
    (void) sys_call(SYS_prctl, PR_SET_PDEATHSIG, attempt->parent_death_signal, 0, 0, 0);
    set_dispositions(execution->ignored, &dispositions);
    (void) sys_call(SYS_rt_sigprocmask, SIG_SETMASK, (long) &execution->blocked, 0, sizeof execution->blocked,
                    0);
    attempt->error = (int) sys_call(SYS_execve, (long) execution->file, (long) execution->arguments,
                                    (long) execution->environment, 0, 0);
    restore_dispositions(&dispositions);
    return NULL;
}

int
execute(const struct execution *execution) {
    struct attempt attempt = { execution, 0, 0 };
    uint64_t thread;

    (void) sys_call(SYS_prctl, PR_GET_PDEATHSIG, (long) &attempt.parent_death_signal, 0, 0, 0);
    int error = sys_thread_start(&thread, run, &attempt);
    if (error) return error;
    sys_thread_join(thread);
    return attempt.error;
}
