/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <linux/mqueue.h>
#include <sys/syscall.h>
#include <time.h>

static long
without_waiting(long number, int fd, long data, long length, long priority) {
    /* Already over: nothing waits, even if another holder of the open queue has cleared its O_NONBLOCK. Not
     * constant memory: qemu's user mode writes it back. */
    struct timespec now = { 0, 0 };
    for (;;) {
        long result = sys_call(number, fd, data, length, priority, (long) &now);
        if (result == -ETIMEDOUT) return -EAGAIN;
        if (result != -EINTR) return result;
    }
}

int
sys_mq_attributes(int fd, struct sys_mq_attributes *attributes) {
    struct mq_attr kernel;
    long result = sys_call(SYS_mq_getsetattr, fd, 0, (long) &kernel, 0, 0);
    if (result < 0) return (int) result;

    /* The kernel's own limits are far below 2^31 (HARD_MSGMAX, HARD_MSGSIZEMAX). */
    attributes->most_messages = (int32_t) kernel.mq_maxmsg;
    attributes->message_bytes = (int32_t) kernel.mq_msgsize;
    attributes->current_messages = (int32_t) kernel.mq_curmsgs;
    return 0;
}

int64_t
sys_mq_receive(int fd, void *buffer, size_t capacity, uint32_t *priority) {
    return without_waiting(SYS_mq_timedreceive, fd, (long) buffer, (long) capacity, (long) priority);
}

int
sys_mq_send(int fd, const void *data, size_t length, uint32_t priority) {
    return (int) without_waiting(SYS_mq_timedsend, fd, (long) data, (long) length, (long) priority);
}
