/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <sys/syscall.h>
#include <time.h>

int64_t
sys_monotonic_usec(void) {
    struct timespec now;
    long result = sys_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long) &now, 0, 0, 0);
    return result < 0 ? result : (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
