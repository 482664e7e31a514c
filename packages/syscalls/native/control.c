/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "control.h"

#include <string.h>

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

size_t
control_write(union control *control, const struct sys_outgoing *message) {
    size_t used = 0;
    if (message->fd_count > 0)
        used = append(control->bytes, used, SCM_RIGHTS, message->fds, sizeof(int32_t) * message->fd_count);
    if (message->credentials)
        used =
            append(control->bytes, used, SCM_CREDENTIALS, message->credentials, sizeof *message->credentials);
    return used;
}

/* The kernel sends at most SYS_FDS_PER_MESSAGE, so that the close, which can block, is never reached. */
static void
take_rights(const uint8_t *data, size_t length, struct sys_incoming *message) {
    for (size_t at = 0; length - at >= sizeof(int32_t); at += sizeof(int32_t)) {
        int32_t fd;
        memcpy(&fd, data + at, sizeof fd);
        if (fd < 0) continue;
        if (message->fd_count < SYS_FDS_PER_MESSAGE)
            message->fds[message->fd_count++] = fd;
        else
            (void) sys_close(fd);
    }
}

/* Where the kernel could make no pidfd, there is -errno in its place. */
static void
take_pidfd(const uint8_t *data, struct sys_incoming *message) {
    int32_t pidfd;
    memcpy(&pidfd, data, sizeof pidfd);
    if (pidfd < 0) return;
    if (message->pidfd < 0)
        message->pidfd = pidfd;
    else
        (void) sys_close(pidfd);
}

static void
take(const struct cmsghdr *header, const uint8_t *data, size_t length, struct sys_incoming *message) {
    if (header->cmsg_level != SOL_SOCKET) return;

    if (header->cmsg_type == SCM_RIGHTS) {
        take_rights(data, length, message);
    } else if (header->cmsg_type == SCM_CREDENTIALS && length == sizeof message->credentials) {
        memcpy(&message->credentials, data, length);
        message->flags |= SYS_HAS_CREDENTIALS;
    } else if (header->cmsg_type == SCM_PIDFD && length == sizeof message->pidfd) {
        take_pidfd(data, message);
    }
}

/* Not by CMSG_NXTHDR: C libraries differ in what it believes of a length, and in whether the last message
 * needs its padding, which the kernel leaves out where the buffer ends. */
void
control_read(const uint8_t *control, size_t length, struct sys_incoming *message) {
    message->pidfd = -1;
    message->fd_count = 0;
    message->credentials = (struct sys_credentials){ 0, 0, 0 };

    for (size_t at = 0; length - at >= sizeof(struct cmsghdr);) {
        struct cmsghdr header;
        memcpy(&header, control + at, sizeof header);
        if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > length - at) return;

        take(&header, control + at + CMSG_LEN(0), header.cmsg_len - CMSG_LEN(0), message);
        if (CMSG_ALIGN(header.cmsg_len) > length - at) return;
        at += CMSG_ALIGN(header.cmsg_len);
    }
}
