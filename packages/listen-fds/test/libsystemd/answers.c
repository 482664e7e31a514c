/* SPDX-License-Identifier: MIT */
/* Answers a table of questions by libsystemd itself, found at run time so that no header is needed. A line of standard input is
 * a question, words separated by spaces, and the same line of standard output the answer, which begins with what the
 * function returned. Numbers are decimal; bytes are hexadecimal digits after a `=`, and `-` stands for NULL.
 *
 *     e PASSED PID PIDFDID FDS FDNAMES   sd_listen_fds_with_names(1), where so many descriptors from 3 on are open; then what
 *                                        sd_listen_fds(0) says before it, which of the variables are left (bits in this order),
 *                                        which of the descriptors are close-on-exec (bits), and the names. In the values stand
 *                                        the bytes 1 to 6 for what only this program knows, see expanded().
 *     f FD PATH                          sd_is_fifo
 *     c FD PATH                          sd_is_special
 *     q FD NAME                          sd_is_mq
 *     s FD FAMILY TYPE LISTENING         sd_is_socket
 *     i FD FAMILY TYPE LISTENING PORT    sd_is_socket_inet
 *     a FD TYPE SOCKADDR LISTENING       sd_is_socket_sockaddr
 *     u FD TYPE LISTENING PATH LENGTH    sd_is_socket_unix
 *
 * Exit code 2: there is no such library, or no such question. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int (*sd_listen_fds)(int);
static int (*sd_listen_fds_with_names)(int, char ***);
static int (*sd_is_fifo)(int, const char *);
static int (*sd_is_special)(int, const char *);
static int (*sd_is_mq)(int, const char *);
static int (*sd_is_socket)(int, int, int, int);
static int (*sd_is_socket_inet)(int, int, int, int, uint16_t);
static int (*sd_is_socket_sockaddr)(int, int, const struct sockaddr *, unsigned, int);
static int (*sd_is_socket_unix)(int, int, int, const char *, size_t);

static const struct {
    void *function;
    const char *name;
} FUNCTIONS[] = {
    { &sd_listen_fds, "sd_listen_fds" },
    { &sd_listen_fds_with_names, "sd_listen_fds_with_names" },
    { &sd_is_fifo, "sd_is_fifo" },
    { &sd_is_special, "sd_is_special" },
    { &sd_is_mq, "sd_is_mq" },
    { &sd_is_socket, "sd_is_socket" },
    { &sd_is_socket_inet, "sd_is_socket_inet" },
    { &sd_is_socket_sockaddr, "sd_is_socket_sockaddr" },
    { &sd_is_socket_unix, "sd_is_socket_unix" },
};
static const char *const VARIABLES[] = { "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES" };

static char *rest;

static void
fail(const char *reason) {
    fprintf(stderr, "answers: %s\n", reason);
    exit(2);
}

static char *
next_word(void) {
    char *word = strsep(&rest, " ");
    if (word == NULL) fail("a word is missing");
    return word;
}

static int
next_number(void) {
    return atoi(next_word());
}

/* The bytes, with a NUL behind them; NULL for NULL. */
static char *
next_bytes(size_t *length) {
    const char *word = next_word();
    *length = 0;
    if (*word != '=') return NULL;
    *length = strlen(++word) / 2;
    char *bytes = calloc(*length + 1, 1);
    for (size_t i = 0; bytes != NULL && i < *length; i++)
        sscanf(word + 2 * i, "%2hhx", (unsigned char *) &bytes[i]);
    return bytes;
}

static unsigned long long
own_pidfd_id(void) {
    struct stat stats;
    int pidfd = (int) syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd < 0 || fstat(pidfd, &stats) < 0) return 0;
    close(pidfd);
    return stats.st_ino;
}

static void
print_binary(FILE *stream, unsigned long long number) {
    if (number > 1) print_binary(stream, number / 2);
    fputc(number % 2 ? '1' : '0', stream);
}

/* The text with the digits of this process's pid (1 decimal, 2 octal, 3 hexadecimal, 4 binary) and of its pidfd's id
 * (5 decimal, 6 hexadecimal) in place of these bytes. */
static char *
expanded(const char *text) {
    char *result = NULL;
    size_t size;
    FILE *stream = open_memstream(&result, &size);
    for (; *text != '\0'; text++) {
        if (*text == 1)
            fprintf(stream, "%d", (int) getpid());
        else if (*text == 2)
            fprintf(stream, "%o", (unsigned) getpid());
        else if (*text == 3)
            fprintf(stream, "%x", (unsigned) getpid());
        else if (*text == 4)
            print_binary(stream, (unsigned long long) getpid());
        else if (*text == 5)
            fprintf(stream, "%llu", own_pidfd_id());
        else if (*text == 6)
            fprintf(stream, "%llx", own_pidfd_id());
        else
            fputc(*text, stream);
    }
    fclose(stream);
    return result;
}

static void
answer_environment(void) {
    size_t length;
    int passed = next_number();
    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(*VARIABLES); i++) {
        char *value = next_bytes(&length);
        if (value == NULL)
            unsetenv(VARIABLES[i]);
        else {
            char *text = expanded(value);
            setenv(VARIABLES[i], text, 1);
            free(text);
        }
        free(value);
    }

    int plain = sd_listen_fds(0);
    for (int i = 0; i < passed; i++) fcntl(3 + i, F_SETFD, 0);
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);

    unsigned left = 0, cloexec = 0;
    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(*VARIABLES); i++)
        if (getenv(VARIABLES[i]) != NULL) left |= 1u << i;
    for (int i = 0; i < passed; i++)
        if (fcntl(3 + i, F_GETFD) & FD_CLOEXEC) cloexec |= 1u << i;
    printf("%d %d %u %u", count, plain, left, cloexec);
    for (int i = 0; i < count; i++) {
        printf(" =");
        for (const unsigned char *byte = (unsigned char *) names[i]; *byte != '\0'; byte++)
            printf("%02x", *byte);
        free(names[i]);
    }
    if (count > 0) free(names);
    printf("\n");
}

static int
answer(const char *question) {
    size_t length;
    int fd = next_number(), family, type, listening, result = 0;
    char *bytes = NULL;
    switch (*question) {
    case 'f':
        result = sd_is_fifo(fd, bytes = next_bytes(&length));
        break;
    case 'c':
        result = sd_is_special(fd, bytes = next_bytes(&length));
        break;
    case 'q':
        result = sd_is_mq(fd, bytes = next_bytes(&length));
        break;
    case 's':
        family = next_number(), type = next_number(), listening = next_number();
        result = sd_is_socket(fd, family, type, listening);
        break;
    case 'i':
        family = next_number(), type = next_number(), listening = next_number();
        result = sd_is_socket_inet(fd, family, type, listening, (uint16_t) next_number());
        break;
    case 'a':
        type = next_number(), bytes = next_bytes(&length), listening = next_number();
        result = sd_is_socket_sockaddr(fd, type, (struct sockaddr *) bytes, (unsigned) length, listening);
        break;
    case 'u':
        type = next_number(), listening = next_number(), bytes = next_bytes(&length);
        result = sd_is_socket_unix(fd, type, listening, bytes, (size_t) next_number());
        break;
    default:
        fail("there is no such question");
    }
    free(bytes);
    return result;
}

int
main(void) {
    void *library = dlopen("libsystemd.so.0", RTLD_NOW);
    if (library == NULL) fail(dlerror());
    for (size_t i = 0; i < sizeof(FUNCTIONS) / sizeof(*FUNCTIONS); i++) {
        void *found = dlsym(library, FUNCTIONS[i].name);
        if (found == NULL) fail(dlerror());
        memcpy(FUNCTIONS[i].function, &found, sizeof(found));
    }

    char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        line[length - 1] = '\0';
        rest = line;
        const char *question = next_word();
        if (*question == 'e')
            answer_environment();
        else
            printf("%d\n", answer(question));
    }
    return 0;
}
