/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* Room for one message of each kind that we ask the kernel for. A buffer for n descriptors is not
 * a promise of n: CMSG_SPACE(sizeof(int)) holds two, so the counts below are always looked at. */
union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * SYS_FDS_PER_MESSAGE) + CMSG_SPACE(sizeof(struct sys_credentials)) +
                  CMSG_SPACE(sizeof(int))];
};

static size_t
append(uint8_t *control, size_t used, int type, const void *data, size_t length) {
    struct cmsghdr *header = (struct cmsghdr *) (control + used);
    memset(header, 0, CMSG_SPACE(length));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(header), data, length);
    return used + CMSG_SPACE(length);
}

#define SEND_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)

/* Payload alone, on a connected socket: the kernel has no headers to copy and to check. */
static int64_t
send_plain(int fd, const struct sys_outgoing *message) {
    for (;;) {
        long result = sys_call(SYS_sendto, fd, (long) message->data, (long) message->length, SEND_FLAGS,
                               0 /* no address, so its length is not looked at */);
        if (result != -EINTR) return result;
    }
}

int64_t
sys_send(int fd, const struct sys_outgoing *message) {
    union control control;
    size_t used = 0;
    struct iovec payload = { (void *) message->data, message->length };
    struct msghdr header;

    if (!message->address && message->fd_count == 0 && !message->credentials) return send_plain(fd, message);
    if (message->fd_count > SYS_FDS_PER_MESSAGE) return -E2BIG;
    if (message->fd_count > 0)
        used = append(control.bytes, used, SCM_RIGHTS, message->fds, sizeof(int32_t) * message->fd_count);
    if (message->credentials)
        used =
            append(control.bytes, used, SCM_CREDENTIALS, message->credentials, sizeof *message->credentials);

    memset(&header, 0, sizeof header);
    header.msg_name = (void *) message->address;
    header.msg_namelen = (socklen_t) message->address_length;
    header.msg_iov = &payload;
    header.msg_iovlen = 1;
    header.msg_control = used ? control.bytes : NULL;
    header.msg_controllen = used;

    for (;;) {
        long result = sys_call(SYS_sendmsg, fd, (long) &header, SEND_FLAGS, 0, 0);
        if (result != -EINTR) return result;
    }
}

static void
take_rights(const struct cmsghdr *header, struct sys_incoming *message) {
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int32_t);
    const uint8_t *data = CMSG_DATA(header);

    for (size_t i = 0; i < count; i++) {
        int32_t fd;
        memcpy(&fd, data + i * sizeof fd, sizeof fd);
        if (message->fd_count < SYS_FDS_PER_MESSAGE)
            message->fds[message->fd_count++] = fd;
        else
            (void) sys_close(fd);
    }
}

static void
take_control(const struct cmsghdr *header, struct sys_incoming *message) {
    size_t length = header->cmsg_len - CMSG_LEN(0);
    if (header->cmsg_level != SOL_SOCKET) return;

    if (header->cmsg_type == SCM_RIGHTS) {
        take_rights(header, message);
    } else if (header->cmsg_type == SCM_CREDENTIALS && length == sizeof message->credentials) {
        memcpy(&message->credentials, CMSG_DATA(header), length);
        message->flags |= SYS_HAS_CREDENTIALS;
    } else if (header->cmsg_type == SCM_PIDFD && length == sizeof message->pidfd) {
        memcpy(&message->pidfd, CMSG_DATA(header), length);
    }
}

/* Returns 1, or -errno. An empty datagram is a message like any other. */
int
sys_receive(int fd, void *buffer, size_t capacity, struct sys_incoming *message) {
    union control control;
    struct iovec payload = { buffer, capacity };
    struct msghdr header;
    long result;

    memset(&header, 0, sizeof header);
    header.msg_iov = &payload;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;

    do /* MSG_TRUNC: the result is the length as it was sent. */
        result = sys_call(SYS_recvmsg, fd, (long) &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC, 0, 0);
    while (result == -EINTR);
    if (result < 0) return (int) result;

    message->full_length = (size_t) result;
    message->length = (size_t) result < capacity ? (size_t) result : capacity;
    message->flags = (header.msg_flags & MSG_TRUNC ? SYS_PAYLOAD_TRUNCATED : 0) |
                     (header.msg_flags & MSG_CTRUNC ? SYS_CONTROL_TRUNCATED : 0);
    message->pidfd = -1;
    message->fd_count = 0;
    message->credentials = (struct sys_credentials){ 0, 0, 0 };

    for (struct cmsghdr *each = CMSG_FIRSTHDR(&header); each; each = CMSG_NXTHDR(&header, each))
        take_control(each, message);
    return 1;
}
