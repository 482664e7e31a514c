/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "control.h"
#include "sys.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#define SEND_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)

/* Payload alone, on a connected socket: the kernel has no headers to copy and to check. sys_call() passes 0 for the
 * length of the address that there is not. */
static int64_t
send_plain(int fd, const struct sys_outgoing *message) {
    for (;;) {
        long result = sys_call(SYS_sendto, fd, (long) message->data, (long) message->length, SEND_FLAGS, 0);
        if (result != -EINTR) return result;
    }
}

int64_t
sys_send(int fd, const struct sys_outgoing *message) {
    union control control;
    struct iovec payload = { (void *) message->data, message->length };
    struct msghdr header;

    if (!message->address && message->fd_count == 0 && !message->credentials) return send_plain(fd, message);
    if (message->fd_count > SYS_FDS_PER_MESSAGE) return -E2BIG;

    memset(&header, 0, sizeof header);
    header.msg_name = (void *) message->address;
    header.msg_namelen = (socklen_t) message->address_length;
    header.msg_iov = &payload;
    header.msg_iovlen = 1;
    header.msg_controllen = control_write(&control, message);
    header.msg_control = header.msg_controllen ? control.bytes : NULL;

    for (;;) {
        long result = sys_call(SYS_sendmsg, fd, (long) &header, SEND_FLAGS, 0, 0);
        if (result != -EINTR) return result;
    }
}

/* Returns 1, or -errno. An empty datagram is a message like any other. */
int
sys_receive(int fd, void *buffer, size_t capacity, int options, struct sys_incoming *message) {
    union control control;
    struct iovec payload = { buffer, capacity };
    struct msghdr header;
    /* MSG_TRUNC: the result is the length as it was sent. */
    int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC | (options & SYS_PEEK ? MSG_PEEK : 0);
    long result;

    memset(&header, 0, sizeof header);
    header.msg_iov = &payload;
    header.msg_iovlen = 1;
    header.msg_name = options & SYS_ADDRESSED ? message->address : NULL;
    header.msg_namelen = options & SYS_ADDRESSED ? sizeof message->address : 0;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;

    do result = sys_call(SYS_recvmsg, fd, (long) &header, flags, 0, 0);
    while (result == -EINTR);
    if (result < 0) return (int) result;

    message->full_length = (size_t) result;
    message->length = (size_t) result < capacity ? (size_t) result : capacity;
    message->flags = (header.msg_flags & MSG_TRUNC ? SYS_PAYLOAD_TRUNCATED : 0) |
                     (header.msg_flags & MSG_CTRUNC ? SYS_CONTROL_TRUNCATED : 0);
    /* The kernel reports the length of the address, even where it stored less. */
    message->address_length =
        header.msg_namelen < sizeof message->address ? header.msg_namelen : sizeof message->address;
    control_read(control.bytes, header.msg_controllen, message);
    return 1;
}

int
sys_discard(int fd) {
    long result;

    do result = sys_call(SYS_recvfrom, fd, 0, 0, MSG_DONTWAIT, 0);
    while (result == -EINTR);
    return result < 0 ? (int) result : 0;
}
