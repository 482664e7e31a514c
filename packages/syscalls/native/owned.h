/* SPDX-License-Identifier: MIT */
/* The sockets that live inside an environment's objects. When the environment ends (a Worker is
 * terminated, say) nobody can close those objects any more, so what is still here is closed then. */
#ifndef SDBRIDGE_OWNED_H
#define SDBRIDGE_OWNED_H

#include <stddef.h>
#include <stdint.h>

struct owned {
    uint64_t *words;
    size_t count;
};

int owned_add(struct owned *owned, int fd);
void owned_remove(struct owned *owned, int fd);
void owned_close_all(struct owned *owned);

#endif
