/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <linux/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Same numbers on all architectures (asm-generic/unistd.h). Linux 5.3 and 5.1. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* The kernel makes every pidfd close-on-exec. */
int
sys_pidfd_open(int pid) {
    return (int) sys_call(SYS_pidfd_open, pid, 0, 0, 0, 0);
}

int
sys_pidfd_send_signal(int pidfd, int signal) {
    return (int) sys_call(SYS_pidfd_send_signal, pidfd, signal, 0, 0, 0);
}

int
sys_waitid(int id_type, int id, int options, struct sys_exit *exit) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    long result = sys_call(SYS_waitid, id_type, id, (long) &info, options, 0);
    *exit = (struct sys_exit){ info.si_pid, info.si_code, info.si_status };
    return (int) result;
}

int
sys_set_subreaper(int on) {
    return (int) sys_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, on, 0, 0, 0);
}

int
sys_is_subreaper(void) {
    int on = 0;
    long result = sys_call(SYS_prctl, PR_GET_CHILD_SUBREAPER, (long) &on, 0, 0, 0);
    return result < 0 ? (int) result : on;
}

/* prlimit(2) and not getrlimit(2): its numbers have 64 bits everywhere. */
int
sys_get_nofile(uint64_t limits[2]) {
    return (int) sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long) limits, 0);
}

int
sys_set_nofile(const uint64_t limits[2]) {
    return (int) sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long) limits, 0, 0);
}

int
sys_namespace(int fd, int request, int argument) {
    /* Those that src/pid-namespace.ts has names for. The later ones say in their number that they answer with an int. */
    if (request != 2 && request != 3 && request != 6 && request != 8) return -EINVAL;
    unsigned long number =
        request <= 4 ? (unsigned long) _IO(NSIO, request) : (unsigned long) _IOR(NSIO, request, int);
    return (int) sys_call(SYS_ioctl, fd, (long) number, argument, 0, 0);
}
