/* SPDX-License-Identifier: MIT */
/* Closes descriptors on threads of its own. The last close of a file that somebody else opened may take
 * as long as that somebody likes (a TCP socket with SO_LINGER and unsent data, a FUSE file), so it must
 * happen neither on the event loop nor on libuv's four pool threads. */
#ifndef SDBRIDGE_CLOSER_H
#define SDBRIDGE_CLOSER_H

#include <stddef.h>
#include <stdint.h>

/* Takes over all of them, whatever it returns: where no thread can be had, they are closed here. */
void closer_submit(const int32_t *fds, size_t count);

/* Closes a socket of ours: at once if its queue is empty. What waits in a queue may carry descriptors,
 * which end with the socket, so then a thread does it. */
int closer_close_socket(int fd);

#endif
