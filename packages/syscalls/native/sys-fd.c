/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Younger than the headers of many C libraries. Linux 6.10. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif

long
sys_call(long number, long a, long b, long c, long d, long e) {
    /* epoll_pwait() has a sixth, which would be whatever is in its register. */
    long result = syscall(number, a, b, c, d, e, 0L);
    return result == -1 ? -errno : result;
}

/* EINTR is not retried: Linux has released the descriptor by then, and a second close could hit
 * another thread's new one. */
int
sys_close(int fd) {
    int result = (int) sys_call(SYS_close, fd, 0, 0, 0, 0);
    return result == -EINTR ? 0 : result;
}

int
sys_pipe(int fds[2]) {
    return (int) sys_call(SYS_pipe2, (long) fds, O_CLOEXEC | O_NONBLOCK, 0, 0, 0);
}

int
sys_duplicate(int fd) {
    return (int) sys_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3, 0, 0);
}

static int
get_flag(int fd, int command, int flag) {
    long flags = sys_call(SYS_fcntl, fd, command, 0, 0, 0);
    return flags < 0 ? (int) flags : (flags & flag) != 0;
}

static int
set_flag(int fd, int get, int set, int flag, int on) {
    long flags = sys_call(SYS_fcntl, fd, get, 0, 0, 0);
    if (flags < 0) return (int) flags;

    long wanted = on ? flags | flag : flags & ~(long) flag;
    return wanted == flags ? 0 : (int) sys_call(SYS_fcntl, fd, set, wanted, 0, 0);
}

int
sys_get_cloexec(int fd) {
    return get_flag(fd, F_GETFD, FD_CLOEXEC);
}

int
sys_set_cloexec(int fd, int on) {
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int
sys_get_nonblocking(int fd) {
    return get_flag(fd, F_GETFL, O_NONBLOCK);
}

int
sys_set_nonblocking(int fd, int on) {
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

/* By what the kernel knows already (AT_STATX_DONT_SYNC): fstat(2) would ask a FUSE server, which may take
 * its time. */
int
sys_file_type(int fd) {
    struct statx facts;
    long result =
        sys_call(SYS_statx, fd, (long) "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, (long) &facts);
    return result < 0 ? (int) result : facts.stx_mode & S_IFMT;
}

int
sys_get_seals(int fd) {
    return (int) sys_call(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0);
}

int64_t
sys_filesystem_type(int fd) {
    struct statfs facts;
    long result = sys_call(SYS_fstatfs, fd, (long) &facts, 0, 0, 0);
    return result < 0 ? result : (int64_t) (uint32_t) facts.f_type;
}

int
sys_dupfd_query(int fd, int other) {
    return (int) sys_call(SYS_fcntl, fd, F_DUPFD_QUERY, other, 0, 0);
}

int
sys_kcmp_file(int fd, int other) {
    long pid = sys_call(SYS_getpid, 0, 0, 0, 0, 0);
    return (int) sys_call(SYS_kcmp, pid, pid, KCMP_FILE, fd, other);
}
