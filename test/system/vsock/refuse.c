/* SPDX-License-Identifier: MIT */
/* Runs a program as on a kernel that lacks a type of AF_VSOCK sockets.
 *
 *   refuse TYPE ERRNO PROGRAM [ARGUMENT...]
 *
 * In it, socket(AF_VSOCK, TYPE, ...) fails with ERRNO. Both are numbers. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Compares a part of the call, without the flags of a type, and goes to the end of the program if it is another. */
#define UNLESS(part, value, instructions_left)                                                               \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, part)),                                 \
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7ff),                                                          \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, instructions_left)

int
main(int argc, char **argv) {
    if (argc < 4) return 2;
    unsigned type = (unsigned) atoi(argv[1]), error = (unsigned) atoi(argv[2]);
    struct sock_filter filter[] = {
        UNLESS(nr, SYS_socket, 7),
        UNLESS(args[0], AF_VSOCK, 4),
        UNLESS(args[1], type, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) {
        execvp(argv[3], argv + 3);
    }
    perror(argv[3]);
    return 1;
}
