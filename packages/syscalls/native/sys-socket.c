/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <sys/syscall.h>

int
sys_socket(int domain, int type, int protocol) {
    return (int) sys_call(SYS_socket, domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol, 0, 0);
}

int
sys_bind(int fd, const void *address, size_t length) {
    return (int) sys_call(SYS_bind, fd, (long) address, (long) length, 0, 0);
}

int
sys_connect(int fd, const void *address, size_t length) {
    return (int) sys_call(SYS_connect, fd, (long) address, (long) length, 0, 0);
}

int
sys_listen(int fd, int backlog) {
    return (int) sys_call(SYS_listen, fd, backlog, 0, 0, 0);
}

int
sys_accept(int fd) {
    for (;;) {
        int result = (int) sys_call(SYS_accept4, fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (result != -EINTR) return result;
    }
}

int
sys_shutdown(int fd, int how) {
    return (int) sys_call(SYS_shutdown, fd, how, 0, 0, 0);
}

static int
get_name(long number, int fd, void *address, size_t capacity) {
    socklen_t length = (socklen_t) capacity;
    long result = sys_call(number, fd, (long) address, (long) &length, 0, 0);
    if (result < 0) return (int) result;
    /* The kernel reports the length of the address, even where it stored less. */
    return length < capacity ? (int) length : (int) capacity;
}

int
sys_getsockname(int fd, void *address, size_t capacity) {
    return get_name(SYS_getsockname, fd, address, capacity);
}

int
sys_getpeername(int fd, void *address, size_t capacity) {
    return get_name(SYS_getpeername, fd, address, capacity);
}

int
sys_getsockopt(int fd, int level, int name, int32_t *values, size_t count) {
    socklen_t length = (socklen_t) (sizeof *values * count);
    return (int) sys_call(SYS_getsockopt, fd, level, name, (long) values, (long) &length);
}

int
sys_setsockopt(int fd, int level, int name, int value) {
    return (int) sys_call(SYS_setsockopt, fd, level, name, (long) &value, sizeof value);
}
