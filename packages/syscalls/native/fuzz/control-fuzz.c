/* SPDX-License-Identifier: MIT */
/* Feeds control data to ../control.c. Whatever is in it, no memory beside it may be touched, and every
 * descriptor in a well-formed message is either handed over once or closed once.
 *
 * Built for libFuzzer by clang (run.js), or with -DSTANDALONE and a simple loop of its own by any compiler. */
#define _GNU_SOURCE
#include "../control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 65536

/* How often each descriptor came, and was closed or handed over: numbers below NUMBERS only, which is all that
 * the inputs are made to hold. The kernel's are distinct; here one may come twice, and then ends twice. */
static int16_t came[NUMBERS], ended[NUMBERS];
static int32_t touched[2 * NUMBERS];
static size_t touched_count;

static void
count(int16_t *counter, int32_t fd) {
    if (fd < 0 || fd >= NUMBERS) return;
    counter[fd]++;
    touched[touched_count++ % (sizeof touched / sizeof *touched)] = fd;
}

/* Stands in for the system call. */
int
sys_close(int fd) {
    if (fd < 0) abort();
    count(ended, fd);
    return 0;
}

static void
check(const char *what, int holds) {
    if (holds) return;
    (void) fprintf(stderr, "control-fuzz: %s\n", what);
    abort();
}

static void
read_and_check(const uint8_t *control, size_t length) {
    /* A copy of exactly that length, so that a read beyond it is seen. */
    uint8_t *copy = malloc(length ? length : 1);
    struct sys_incoming message;
    check("out of memory", copy != NULL);
    if (length) memcpy(copy, control, length);
    memset(&message, 0xa5, sizeof message);
    message.flags = 0;
    control_read(copy, length, &message);
    free(copy);

    check("more descriptors than there is room for", message.fd_count <= SYS_FDS_PER_MESSAGE);
    for (size_t i = 0; i < message.fd_count; i++) {
        check("a descriptor below zero", message.fds[i] >= 0);
        count(ended, message.fds[i]);
    }
    check("a pidfd that is neither one nor -1", message.pidfd >= -1);
    count(ended, message.pidfd);
    check("an unknown flag", !(message.flags & ~(uint32_t) SYS_HAS_CREDENTIALS));

    for (size_t i = 0; i < touched_count; i++)
        check("a descriptor that came has not ended once", came[touched[i]] == ended[touched[i]]);
    for (size_t i = 0; i < touched_count; i++) came[touched[i]] = ended[touched[i]] = 0;
    touched_count = 0;
}

/* What a well-formed message brings. */
static void
expect(int level, int type, const uint8_t *data, size_t length) {
    int32_t fd;
    if (level != SOL_SOCKET || (type != SCM_RIGHTS && (type != SCM_PIDFD || length != sizeof fd))) return;
    for (; length >= sizeof fd; data += sizeof fd, length -= sizeof fd) {
        memcpy(&fd, data, sizeof fd);
        count(came, fd);
    }
}

/* The input as it is; what is well-formed in it is found by the arithmetic of the man page. */
static void
as_it_is(const uint8_t *input, size_t length) {
    size_t left = length;
    const uint8_t *at = input;
    for (;;) {
        uint64_t size;
        int32_t level, type;
        if (left < 16) break;
        memcpy(&size, at, 8);
        memcpy(&level, at + 8, 4);
        memcpy(&type, at + 12, 4);
        if (size < 16 || size > left) break;
        expect(level, type, at + 16, size - 16);
        size += (8 - size % 8) % 8;
        if (size > left) break;
        at += size;
        left -= size;
    }
    read_and_check(input, length);
}

/* The input as a recipe: messages of the kinds that there are, in any order and number, then the rest of the
 * input as garbage. The last one has its padding or not. */
static void
as_recipe(const uint8_t *input, size_t length) {
    static const int types[] = { SCM_RIGHTS, SCM_RIGHTS, SCM_CREDENTIALS,
                                 SCM_PIDFD,  SCM_PIDFD,  3 /* SCM_SECURITY */ };
    static uint8_t control[65536];
    size_t used = 0, end = 0;
    int32_t next = 3;

    while (length >= 3 && used + CMSG_SPACE(256 * sizeof next) < sizeof control - 4096) {
        int type = types[input[0] % 6], level = input[0] >= 250 ? SOL_SOCKET + 1 : SOL_SOCKET;
        size_t numbers = input[1], odd = input[2] % 4;
        size_t size = type == SCM_PIDFD && !(input[2] & 128) ? sizeof next : numbers * sizeof next + odd;
        if (type == SCM_CREDENTIALS && !(input[2] & 64)) size = sizeof(struct sys_credentials);
        struct cmsghdr header = { .cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type };

        memset(control + used, 0xff, CMSG_SPACE(size));
        memcpy(control + used, &header, sizeof header);
        for (size_t at = 0; at + sizeof next <= size; at += sizeof next) {
            int32_t fd = next++;
            if (input[2] & 32 && fd % 3 == 0) fd = -fd;
            memcpy(control + used + CMSG_LEN(0) + at, &fd, sizeof fd);
        }
        expect(level, type, control + used + CMSG_LEN(0), size);
        end = used + CMSG_LEN(size);
        used += CMSG_SPACE(size);
        input += 3;
        length -= 3;
        if (input[-1] & 16) break;
    }
    if (length > 0 && input[0] & 1) {
        read_and_check(control, end);
        return;
    }
    /* A header that cannot be right ends the walk. */
    uint64_t wrong = length > 1 && input[1] & 1 ? UINT64_MAX - input[1] : length % 16;
    memcpy(control + used, &wrong, sizeof wrong);
    memset(control + used + 8, length > 2 ? input[2] : 0, 40);
    read_and_check(control, used + (length > 3 ? input[3] % 48 : 0));
}

/* What we write, we can read. */
static void
there_and_back(const uint8_t *input, size_t length) {
    union control control;
    int32_t fds[SYS_FDS_PER_MESSAGE];
    struct sys_credentials credentials = { 1, 2, 3 };
    struct sys_outgoing message = { .fds = fds };
    struct sys_incoming read = { 0 };

    message.fd_count = length > 0 ? input[0] % (SYS_FDS_PER_MESSAGE + 1u) : 0;
    message.credentials = length > 1 && input[1] & 1 ? &credentials : NULL;
    for (size_t i = 0; i < message.fd_count; i++) fds[i] = (int32_t) i;
    control_read(control.bytes, control_write(&control, &message), &read);
    check("not the descriptors that were written",
          read.fd_count == message.fd_count && !memcmp(read.fds, fds, sizeof *fds * read.fd_count));
    check("not the credentials that were written",
          message.credentials ? read.flags == SYS_HAS_CREDENTIALS &&
                                    !memcmp(&read.credentials, &credentials, sizeof credentials)
                              : read.flags == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    if (length == 0) return 0;
    if (input[0] % 4 == 0)
        there_and_back(input + 1, length - 1);
    else if (input[0] % 4 == 1)
        as_it_is(input + 1, length - 1);
    else
        as_recipe(input + 1, length - 1);
    return 0;
}

#ifdef STANDALONE
#include <time.h>
#include <unistd.h>

static uint64_t state = 88172645463325252;

static uint32_t
random_number(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t) (state >> 16);
}

/* Messages with small faults, for as_it_is(): noise alone has no header that could be right. */
static size_t
make(uint8_t *input) {
    size_t length = 1;
    input[0] = (uint8_t) random_number();
    while (length < 2000 && random_number() % 8) {
        uint64_t size = 16 + random_number() % 64;
        int32_t header[2] = { SOL_SOCKET, (int32_t) (1 + random_number() % 4) };
        uint64_t said = random_number() % 8 ? size : (uint64_t) random_number() << random_number() % 33;
        memcpy(input + length, &said, 8);
        memcpy(input + length + 8, header, 8);
        for (uint64_t at = 16; at < size; at++)
            input[length + at] =
                at % 4 < 2 ? (uint8_t) random_number() : (uint8_t) - (random_number() % 9 == 0);
        length += size + (8 - size % 8) % 8;
    }
    if (random_number() % 2) length -= random_number() % 16 % length;
    for (uint32_t faults = random_number() % 4; faults > 0; faults--)
        input[random_number() % 2000] = (uint8_t) random_number();
    return length;
}

int
main(int count_of_arguments, char **arguments) {
    static uint8_t input[4096];
    time_t end = time(NULL) + (count_of_arguments > 1 ? atoi(arguments[1]) : 10);
    uint64_t runs = 0;
    do {
        (void) alarm(20); /* An input that never ends. */
        for (int i = 0; i < 1000; i++, runs++) (void) LLVMFuzzerTestOneInput(input, make(input));
    } while (time(NULL) < end);
    (void) fprintf(stderr, "Done %llu runs\n", (unsigned long long) runs);
    return 0;
}
#endif
