/* SPDX-License-Identifier: MIT */
/* Asks the functions with which the service manager reads notifications, of its private library:
 *
 *     systemd-parsers /usr/lib/.../libsystemd-shared-NNN.so <questions >answers
 *
 * A question is one letter, a length of four bytes (least significant first) and so many bytes; an answer is a length
 * and so many bytes. Their signatures are systemd's own affair; they have been these from 252 to 262.
 *
 *     l  lines of a message     each ended by NUL
 *     m  a whole datagram, received from a socket: its lines; since systemd 258
 *     u  64-bit integer, p process id, 8 8-bit integer, e errno     in decimal digits
 *     f  name of a stored descriptor, t UTF-8, a NOTIFYACCESS=      empty
 *
 * What is not valid is answered with `!`. Exit code 2: a function is missing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static int (*strv_split_newlines_full)(char ***, const char *, unsigned);
static int (*safe_atollu_full)(const char *, unsigned, unsigned long long *);
static int (*safe_atou8_full)(const char *, unsigned, uint8_t *);
static int (*parse_pid)(const char *, pid_t *);
static int (*parse_errno)(const char *);
static bool (*fdname_is_valid)(const char *);
static char *(*utf8_is_valid_n)(const char *, size_t);
static int (*notify_access_from_string)(const char *);
static int (*notify_recv_with_fds_strv)(int, char ***, struct ucred *, void *, void *);

static const struct {
    void *function;
    const char *name;
    bool may_be_missing;
} FUNCTIONS[] = {
    { &strv_split_newlines_full, "strv_split_newlines_full", false },
    { &safe_atollu_full, "safe_atollu_full", false },
    { &safe_atou8_full, "safe_atou8_full", false },
    { &parse_pid, "parse_pid", false },
    { &parse_errno, "parse_errno", false },
    { &fdname_is_valid, "fdname_is_valid", false },
    { &utf8_is_valid_n, "utf8_is_valid_n", false },
    { &notify_access_from_string, "notify_access_from_string", false },
    { &notify_recv_with_fds_strv, "notify_recv_with_fds_strv", true },
};

static void
answer(const char *bytes, size_t length) {
    uint32_t prefix = (uint32_t) length;
    fwrite(&prefix, sizeof(prefix), 1, stdout);
    fwrite(bytes, 1, length, stdout);
}

static void
answer_number(bool valid, unsigned long long number) {
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%llu", number);
    answer(valid ? digits : "!", valid ? (size_t) length : 1);
}

static void
answer_lines(int result, char **lines) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    for (char **line = lines; result >= 0 && line != NULL && *line != NULL; line++) {
        fputs(*line, stream);
        fputc('\0', stream);
    }
    fclose(stream);
    answer(result < 0 ? "!" : text, result < 0 ? 1 : length);
    free(text);
    for (char **line = lines; result >= 0 && line != NULL && *line != NULL; line++) free(*line);
    if (result >= 0) free(lines);
}

static void
answer_message(const char *bytes, size_t length) {
    int pair[2], on = 1;
    char **lines = NULL;
    if (notify_recv_with_fds_strv == NULL || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        exit(2);
    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    if (send(pair[1], bytes, length, 0) < 0) exit(2);
    int result = notify_recv_with_fds_strv(pair[0], &lines, NULL, NULL, NULL);
    answer_lines(result, lines);
    close(pair[0]);
    close(pair[1]);
}

static void
answer_question(char kind, const char *text, size_t length) {
    unsigned long long number = 0;
    uint8_t small = 0;
    pid_t pid = 0;
    char **lines = NULL;
    int result;
    switch (kind) {
    case 'l':
        result = strv_split_newlines_full(&lines, text, 0);
        answer_lines(result, lines);
        break;
    case 'm':
        answer_message(text, length);
        break;
    case 'u':
        result = safe_atollu_full(text, 0, &number);
        answer_number(result >= 0, number);
        break;
    case 'p':
        result = parse_pid(text, &pid);
        answer_number(result >= 0, (unsigned long long) pid);
        break;
    case '8':
        result = safe_atou8_full(text, 0, &small);
        answer_number(result >= 0, small);
        break;
    case 'e':
        result = parse_errno(text);
        answer_number(result >= 0, (unsigned long long) result);
        break;
    case 'f':
        answer("!", fdname_is_valid(text) ? 0 : 1);
        break;
    case 't':
        answer("!", utf8_is_valid_n(text, length) != NULL ? 0 : 1);
        break;
    case 'a':
        answer("!", notify_access_from_string(text) >= 0 ? 0 : 1);
        break;
    default:
        exit(2);
    }
}

int
main(int argc, char **argv) {
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "which library?");
        return 2;
    }
    for (size_t i = 0; i < sizeof(FUNCTIONS) / sizeof(*FUNCTIONS); i++) {
        void *found = dlsym(library, FUNCTIONS[i].name);
        if (found == NULL && !FUNCTIONS[i].may_be_missing) {
            fprintf(stderr, "%s has no %s()\n", argv[1], FUNCTIONS[i].name);
            return 2;
        }
        memcpy(FUNCTIONS[i].function, &found, sizeof(found));
    }

    int kind;
    uint32_t length;
    while ((kind = getchar()) != EOF && fread(&length, sizeof(length), 1, stdin) == 1) {
        char *text = calloc((size_t) length + 1, 1);
        if (text == NULL || fread(text, 1, length, stdin) != length) return 2;
        answer_question((char) kind, text, length);
        free(text);
    }
    return 0;
}
