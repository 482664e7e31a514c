/* SPDX-License-Identifier: MIT */
/* The other end of the benchmark, and what it is compared with. All names are abstract.
 *
 *   peer sink NAME             receives until it is killed
 *   peer flood NAME COUNT      sends as fast as the receiver takes
 *   peer send NAME COUNT       the same, and prints the nanoseconds that it took
 *   peer sd_notify NAME COUNT  the same with sd_notify() of libsystemd
 *   peer receive NAME COUNT    receives with credentials; prints the nanoseconds from the first to the last
 *
 * A receiver prints an empty line when it has its name. Exit code 77: there is no libsystemd. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char message[] = "WATCHDOG=1";

static long long
now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int
open_socket(const char *name, int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, name, length);
    if (fd < 0 || use(fd, (struct sockaddr *) &address,
                      (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + length)) < 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

static void
take(int fd) {
    char payload[4096];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(253 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec vector = { payload, sizeof payload };
    struct msghdr header = { .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes };
    if (recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_TRUNC) < 0) {
        perror("recvmsg");
        exit(1);
    }
}

static int
open_receiver(const char *name) {
    int on = 1;
    int fd = open_socket(name, bind);
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    puts("");
    fflush(stdout);
    return fd;
}

static void
send_all(const char *name, long count) {
    int fd = open_socket(name, connect);
    struct iovec vector = { (void *) message, sizeof message - 1 };
    struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
    for (long i = 0; i < count; i++)
        if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0) {
            perror("sendmsg");
            exit(1);
        }
}

static void
notify_all(const char *name, long count) {
    char address[128];
    void *library = dlopen("libsystemd.so.0", RTLD_NOW);
    int (*sd_notify)(int, const char *) = NULL;
    if (library) *(void **) &sd_notify = dlsym(library, "sd_notify");
    if (!sd_notify) exit(77);

    snprintf(address, sizeof address, "@%s", name);
    setenv("NOTIFY_SOCKET", address, 1);
    for (long i = 0; i < count; i++)
        if (sd_notify(0, message) <= 0) exit(1);
}

int
main(int argc, char **argv) {
    const char *mode = argc > 2 ? argv[1] : "";
    const char *name = argc > 2 ? argv[2] : "";
    long count = argc > 3 ? atol(argv[3]) : 0;
    long long start = now();

    if (!strcmp(mode, "sink")) {
        for (int fd = open_receiver(name);;) take(fd);
    } else if (!strcmp(mode, "flood") || !strcmp(mode, "send")) {
        send_all(name, count);
    } else if (!strcmp(mode, "sd_notify")) {
        notify_all(name, count);
    } else if (!strcmp(mode, "receive")) {
        int fd = open_receiver(name);
        take(fd);
        start = now();
        for (long i = 1; i < count; i++) take(fd);
    } else {
        return 2;
    }
    if (strcmp(mode, "flood")) printf("%lld\n", now() - start);
    return 0;
}
