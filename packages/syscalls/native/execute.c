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
    bool changed[LAST_SIGNAL + 1];
};

/* Limits and dispositions are the process': one attempt at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* How many signals came during the attempt that this program handles; beyond OVER after it. */
static uint32_t noted[LAST_SIGNAL + 1];
#define OVER 0x80000000u

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
send_again(int signal) {
    long self = sys_call(SYS_getpid, 0, 0, 0, 0, 0);
    (void) sys_call(SYS_kill, self, signal, 0, 0, 0);
}

/* A thread can come here late, when the real handler is back. */
static void
note(int signal) {
    int error = errno;
    if (__atomic_add_fetch(&noted[signal], 1, __ATOMIC_ACQ_REL) > OVER) send_again(signal);
    errno = error;
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

/* What becomes of a signal until this is another program; NULL if nothing changes.
 *
 * execve(2) keeps what is ignored and sets what is handled back to its default. So an ignored signal that the new
 * program must not ignore gets a handler that does nothing: until then, and if the call fails, this process is
 * as deaf to it as it was. And a handler of this program must not run any more: the pipe that it writes to may be
 * another file in the table of our thread. */
static handler
interim(int signal, const struct sigaction *before, bool ignore) {
    bool is_ignored = !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_IGN;
    bool is_default = !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_DFL;
    if (ignore) return is_ignored ? NULL : SIG_IGN;
    if (is_ignored) return do_nothing;
    return is_default || is_fault(signal) ? NULL : note;
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

        __atomic_store_n(&noted[signal], 0, __ATOMIC_RELEASE);
        action.sa_handler = interim(signal, before, (ignored >> (signal - 1) & 1) != 0);
        dispositions->changed[signal] = action.sa_handler && sigaction(signal, &action, NULL) == 0;
    }
}

/* Sends again what was noted: with all blocked in our thread, so that another one handles it. */
static void
restore_dispositions(const struct dispositions *dispositions) {
    for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
        if (!dispositions->changed[signal]) continue;
        (void) sigaction(signal, &dispositions->before[signal], NULL);
        uint32_t count = __atomic_exchange_n(&noted[signal], OVER, __ATOMIC_ACQ_REL);
        while (count-- > 0) send_again(signal);
    }
}

static void
set_mask(uint64_t signals) {
    (void) sys_call(SYS_rt_sigprocmask, SIG_SETMASK, (long) &signals, 0, sizeof signals, 0);
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

    /* Only now: it may be lower than what is open here. */
    uint64_t limits[2];
    attempt->error = sys_get_nofile(limits);
    if (!attempt->error && execution->file_limits) attempt->error = sys_set_nofile(execution->file_limits);
    if (attempt->error < 0) return NULL;

    /* A new thread has none of these. */
    (void) sys_call(SYS_prctl, PR_SET_PDEATHSIG, attempt->parent_death_signal, 0, 0, 0);
    set_dispositions(execution->ignored, &dispositions);
    set_mask(execution->blocked);
    attempt->error = (int) sys_call(SYS_execve, (long) execution->file, (long) execution->arguments,
                                    (long) execution->environment, 0, 0);
    set_mask(~(uint64_t) 0);
    restore_dispositions(&dispositions);
    (void) sys_set_nofile(limits);
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
