/* SPDX-License-Identifier: MIT */
/* Makes calls of the addon to the C library fail, one at a time, in the very binary that is published: this is
 * preloaded, and knows the addon's calls by the address that they return to. Node's and libuv's own go through.
 *
 * JavaScript speaks to it by process.env, because Node sets variables with setenv(3):
 *
 *     SDBRIDGE_FAIL=count            counts from here on
 *     SDBRIDGE_FAIL=sendmsg 2 12     the same, and the second sendmsg fails with error 12
 *     SDBRIDGE_FAIL=off              leaves `socket=1 sendmsg=2 failed=1` in SDBRIDGE_FAIL_REPORT
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MALLOC = 1000, CALLOC, REALLOC, PTHREAD_CREATE, KINDS };

static const struct {
    int kind;
    const char *name;
} names[] = {
#define CALL(name)                                                                                           \
    { SYS_##name, #name }
    CALL(accept4),
    CALL(bind),
    CALL(clock_gettime),
    CALL(close),
    CALL(connect),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(eventfd2),
    CALL(execve),
    CALL(fcntl),
    CALL(fstatfs),
    CALL(futex),
    CALL(getpeername),
    CALL(getpid),
    CALL(getsockname),
    CALL(getsockopt),
    CALL(kcmp),
    CALL(kill),
    CALL(listen),
    CALL(mq_getsetattr),
    CALL(mq_timedreceive),
    CALL(mq_timedsend),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(pipe2),
    CALL(ppoll),
    CALL(prctl),
    CALL(read),
    CALL(recvmsg),
    CALL(rt_sigprocmask),
    CALL(sendmsg),
    CALL(setsockopt),
    CALL(shutdown),
    CALL(signalfd4),
    CALL(socket),
    CALL(socketpair),
    CALL(waitid),
    CALL(write),
    CALL(dup3),
    CALL(ioctl),
    { MALLOC, "malloc" },
    { CALLOC, "calloc" },
    { REALLOC, "realloc" },
    { PTHREAD_CREATE, "pthread_create" },
};

static atomic_bool active;
static atomic_int counts[KINDS], target, nth, error, failed;
static atomic_uintptr_t begin, end;

static int
find(struct dl_phdr_info *info, size_t size, void *unused) {
    (void) size;
    (void) unused;
    if (!strstr(info->dlpi_name, "/prebuilds/linux-")) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
        begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        end = begin + info->dlpi_phdr[i].p_memsz;
    }
    return 1;
}

/* The error for this call, or 0. */
static int
fails(int kind, void *caller) {
    if (!active || kind < 0 || kind >= KINDS) return 0;
    if (!end) (void) dl_iterate_phdr(find, NULL);
    if ((uintptr_t) caller < begin || (uintptr_t) caller >= end) return 0;
    if (atomic_fetch_add(&counts[kind], 1) + 1 != nth || kind != target) return 0;
    failed++;
    return error;
}

static const char *
name_of(int kind) {
    static char number[16];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].kind == kind) return names[i].name;
    (void) snprintf(number, sizeof number, "%d", kind);
    return number;
}

static int
kind_of(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].name, name)) return names[i].kind;
    return atoi(name);
}

typedef int (*setenv_function)(const char *, const char *, int);

static setenv_function
real_setenv(void) {
    return (setenv_function) dlsym(RTLD_NEXT, "setenv");
}

static void
report(void) {
    char text[4096] = "";
    size_t length = 0;
    for (int kind = 0; kind < KINDS; kind++)
        if (counts[kind] && length < sizeof text - 64)
            length +=
                (size_t) snprintf(text + length, sizeof text - length, "%s=%d ", name_of(kind), counts[kind]);
    (void) snprintf(text + length, sizeof text - length, "failed=%d", failed);
    (void) real_setenv()("SDBRIDGE_FAIL_REPORT", text, 1);
}

static void
obey(const char *order) {
    char name[64];
    int number, code;
    active = false;
    if (!strcmp(order, "off")) {
        report();
        return;
    }
    for (int kind = 0; kind < KINDS; kind++) counts[kind] = 0;
    target = -1;
    failed = 0;
    if (sscanf(order, "%63s %d %d", name, &number, &code) == 3) {
        target = kind_of(name);
        nth = number;
        error = code;
    }
    active = true;
}

int
setenv(const char *name, const char *value, int overwrite) {
    if (!strcmp(name, "SDBRIDGE_FAIL")) obey(value);
    return real_setenv()(name, value, overwrite);
}

static long (*real_syscall)(long, ...);

__attribute__((constructor)) static void
look_up(void) {
    real_syscall = (long (*)(long, ...)) dlsym(RTLD_NEXT, "syscall");
}

long
syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (!real_syscall) look_up();

    /* Waking cannot fail. */
    bool can_fail = number != SYS_futex || (a[1] & ~FUTEX_PRIVATE_FLAG) == FUTEX_WAIT;
    int code = can_fail ? fails((int) number, __builtin_return_address(0)) : 0;
    if (!code) return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    /* Whatever it says, the kernel has released the descriptor. */
    if (number == SYS_close) (void) real_syscall(number, a[0]);
    errno = code;
    return -1;
}

/* dlsym(3) allocates, so the allocator is called by the names that glibc has for this. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *
malloc(size_t size) {
    if (active && fails(MALLOC, __builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

void *
calloc(size_t count, size_t size) {
    if (active && fails(CALLOC, __builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}

void *
realloc(void *memory, size_t size) {
    if (active && fails(REALLOC, __builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(memory, size);
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
               void *argument) {
    typedef int (*create_function)(pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);
    int code = fails(PTHREAD_CREATE, __builtin_return_address(0));
    if (code) return code;
    return ((create_function) dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, function, argument);
}
