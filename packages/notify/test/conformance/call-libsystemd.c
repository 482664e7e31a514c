/* SPDX-License-Identifier: MIT */
/* Calls one function of sd-daemon.h, found at run time so that no header is needed, and prints what it returned.
 *
 *     call-libsystemd sd_notify STATE
 *     call-libsystemd sd_pid_notify PID STATE
 *     call-libsystemd sd_pid_notify_with_fds PID STATE COUNT    COUNT descriptors of /dev/null
 *     call-libsystemd sd_notify_barrier USEC
 *
 * STATE is in hexadecimal digits, as an argument cannot hold every byte. Exit code 2: there is no such function. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static char *
from_hex(const char *hex) {
    size_t length = strlen(hex) / 2;
    char *text = calloc(length + 1, 1);
    for (size_t i = 0; text != NULL && i < length; i++)
        sscanf(hex + 2 * i, "%2hhx", (unsigned char *) &text[i]);
    return text;
}

static int
with_fds(void *function, pid_t pid, const char *state, unsigned count) {
    int fds[1024];
    if (count > sizeof(fds) / sizeof(*fds)) return -1;
    for (unsigned i = 0; i < count; i++) fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return ((int (*)(pid_t, int, const char *, const int *, unsigned)) function)(pid, 0, state, fds, count);
}

int
main(int argc, char **argv) {
    void *library = dlopen("libsystemd.so.0", RTLD_NOW);
    void *function = library != NULL && argc > 2 ? dlsym(library, argv[1]) : NULL;
    if (function == NULL) {
        fprintf(stderr, "%s\n", argc > 2 ? dlerror() : "too few arguments");
        return 2;
    }

    int result = -1;
    if (strcmp(argv[1], "sd_notify") == 0)
        result = ((int (*)(int, const char *)) function)(0, from_hex(argv[2]));
    else if (strcmp(argv[1], "sd_pid_notify") == 0 && argc > 3)
        result = ((int (*)(pid_t, int, const char *)) function)(atoi(argv[2]), 0, from_hex(argv[3]));
    else if (strcmp(argv[1], "sd_pid_notify_with_fds") == 0 && argc > 4)
        result = with_fds(function, atoi(argv[2]), from_hex(argv[3]), (unsigned) atoi(argv[4]));
    else if (strcmp(argv[1], "sd_notify_barrier") == 0)
        result = ((int (*)(int, uint64_t)) function)(0, strtoull(argv[2], NULL, 10));
    printf("%d\n", result);
    return 0;
}
