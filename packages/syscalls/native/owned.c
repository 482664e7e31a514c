/* SPDX-License-Identifier: MIT */
#include "owned.h"
#include "closer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
owned_add(struct owned *owned, int fd) {
    size_t word = (size_t) fd / 64;
    if (fd < 0) return -EBADF;

    if (word >= owned->count) {
        size_t count = (word + 1) * 2;
        uint64_t *words = calloc(count, sizeof *words);
        if (!words) return -ENOMEM;
        if (owned->count) memcpy(words, owned->words, owned->count * sizeof *words);
        free(owned->words);
        owned->words = words;
        owned->count = count;
    }
    owned->words[word] |= (uint64_t) 1 << (fd % 64);
    return 0;
}

void
owned_remove(struct owned *owned, int fd) {
    size_t word = (size_t) fd / 64;
    if (fd >= 0 && word < owned->count) owned->words[word] &= ~((uint64_t) 1 << (fd % 64));
}

void
owned_close_all(struct owned *owned) {
    for (size_t word = 0; word < owned->count; word++)
        for (int bit = 0; bit < 64; bit++)
            if (owned->words[word] & (uint64_t) 1 << bit) (void) closer_close_socket((int) (word * 64) + bit);
    free(owned->words);
    owned->words = NULL;
    owned->count = 0;
}
