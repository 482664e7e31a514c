/* SPDX-License-Identifier: MIT */
/* A service as its author would write it in C, with libsystemd, which is found at run time so that no header is needed:
 * it becomes ready, keeps its watchdog quiet, stores a descriptor, reloads at SIGHUP and stops at SIGTERM. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static void *library;

static void *
find(const char *name) {
    void *function = dlsym(library, name);
    if (function == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    return function;
}

/* As sd_notifyf() would be used; the variadic function itself cannot be found and called without its declaration. */
static void
notify(const char *state) {
    int (*sd_notify)(int, const char *) = (int (*)(int, const char *)) find("sd_notify");
    if (sd_notify(0, state) <= 0) {
        fprintf(stderr, "not sent: %s\n", state);
        exit(3);
    }
}

static void
reload(void) {
    char state[100];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t usec = (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long) usec);
    notify(state);
    notify("READY=1\nSTATUS=reloaded");
}

static void
store(void) {
    int (*sd_pid_notify_with_fds)(pid_t, int, const char *, const int *, unsigned) =
        (int (*)(pid_t, int, const char *, const int *, unsigned)) find("sd_pid_notify_with_fds");
    int fd = memfd_create("c-state", MFD_CLOEXEC);
    if (fd < 0 || write(fd, "kept by C", 9) != 9) exit(4);
    if (sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=c-state", &fd, 1) <= 0) exit(5);
}

static int
stored_before(void) {
    int (*sd_listen_fds)(int) = (int (*)(int)) find("sd_listen_fds");
    return sd_listen_fds(0);
}

int
main(void) {
    library = dlopen("libsystemd.so.0", RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC);

    int (*sd_watchdog_enabled)(int, uint64_t *) = (int (*)(int, uint64_t *)) find("sd_watchdog_enabled");
    int (*sd_notify_barrier)(int, uint64_t) = (int (*)(int, uint64_t)) find("sd_notify_barrier");
    uint64_t watchdog_usec = 0;
    int watched = sd_watchdog_enabled(0, &watchdog_usec);
    int stored = stored_before();
    printf("watchdog %d of %llu us, %d descriptors\n", watched, (unsigned long long) watchdog_usec, stored);
    fflush(stdout);
    if (stored == 0) store();
    notify("READY=1\nSTATUS=written in C");
    printf("barrier %d\n", sd_notify_barrier(0, 20000000));
    fflush(stdout);

    for (;;) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        int timeout = watched > 0 ? (int) (watchdog_usec / 2000) : -1;
        if (poll(&poller, 1, timeout) == 0) {
            notify("WATCHDOG=1");
            continue;
        }
        struct signalfd_siginfo info;
        if (read(fd, &info, sizeof(info)) != (ssize_t) sizeof(info)) return errno;
        if (info.ssi_signo == SIGHUP) reload();
        else {
            notify("STOPPING=1\nSTATUS=stopping");
            return 0;
        }
    }
}
