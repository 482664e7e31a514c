/* SPDX-License-Identifier: MIT */
/* Control data: what travels beside the payload of a message (cmsg(3)). Nothing here makes a system call
 * but sys_close(), so that fuzz/control-fuzz.c can run it alone. */
#ifndef SDBRIDGE_CONTROL_H
#define SDBRIDGE_CONTROL_H

#include "sys.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* Room for one message of each kind that we ask the kernel for. A buffer for n descriptors is not
 * a promise of n: CMSG_SPACE(sizeof(int)) holds two, so what comes is always counted. */
union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int32_t) * SYS_FDS_PER_MESSAGE) +
                  CMSG_SPACE(sizeof(struct sys_credentials)) + CMSG_SPACE(sizeof(int32_t))];
};

/* Returns the bytes used; 0 if there is nothing to say. At most SYS_FDS_PER_MESSAGE descriptors. */
size_t control_write(union control *control, const struct sys_outgoing *message);

/* Takes over every descriptor in there: what the message has no place for is closed. Adds to `flags`. */
void control_read(const uint8_t *control, size_t length, struct sys_incoming *message);

#endif
