/* SPDX-License-Identifier: MIT */
/* Becomes another program: execve(2) with chosen descriptors at chosen numbers, which leaves this process
 * whole if it fails. */
#ifndef SDBRIDGE_EXECUTE_H
#define SDBRIDGE_EXECUTE_H

#include <stddef.h>
#include <stdint.h>

struct execution {
    const char *file;
    char *const *arguments;
    char *const *environment;
    /* Pairs: the number in the new program, the descriptor here. All others end. Changed by the call. */
    int32_t *fds;
    size_t fd_pairs;
    /* Sets of signals: bit n-1 for signal n, as in /proc/PID/status. */
    uint64_t ignored;
    uint64_t blocked;
    /* Of open descriptors, soft and hard; NULL if they stay. */
    const uint64_t *file_limits;
};

/* Returns only if it fails, -errno. */
int execute(const struct execution *execution);

#endif
