/* SPDX-License-Identifier: MIT */
/* System calls. Nothing here knows JavaScript. Every function returns >= 0, or -errno.
 *
 * All of them go through syscall(2) of the C library and not through its wrappers: one compiled file
 * has to run on glibc and on musl, and the wrappers differ (musl's sendmsg() refuses more than
 * 1024 bytes of control data, which is less than the kernel's 253 descriptors need). */
#ifndef SDBRIDGE_SYS_H
#define SDBRIDGE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The kernel's SCM_MAX_FD: one message carries no more descriptors than this. */
#define SYS_FDS_PER_MESSAGE 253

struct sys_credentials {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};

struct sys_outgoing {
    const uint8_t *data;
    size_t length;
    const void *address; /* NULL on a connected socket. */
    size_t address_length;
    const int32_t *fds; /* Borrowed: the kernel duplicates them. */
    size_t fd_count;
    const struct sys_credentials *credentials; /* NULL: the kernel fills in our own. */
};

enum {
    SYS_PAYLOAD_TRUNCATED = 1,
    SYS_CONTROL_TRUNCATED = 2,
    SYS_HAS_CREDENTIALS = 4,
};

/* A sockaddr_storage. */
#define SYS_ADDRESS_MOST 128

struct sys_incoming {
    size_t length;      /* Bytes stored. */
    size_t full_length; /* Bytes sent; more than `length` if the payload was cut. */
    uint32_t flags;
    struct sys_credentials credentials;
    int32_t pidfd; /* -1 if there is none. */
    size_t fd_count;
    int32_t fds[SYS_FDS_PER_MESSAGE]; /* Ours to close, close-on-exec from birth. */
    size_t address_length;            /* 0: it has none, or nobody asked. */
    uint8_t address[SYS_ADDRESS_MOST];
};

/* sockets (sys-socket.c) */
int sys_socket(int domain, int type, int protocol);
int sys_bind(int fd, const void *address, size_t length);
int sys_connect(int fd, const void *address, size_t length);
int sys_listen(int fd, int backlog);
int sys_accept(int fd);
int sys_shutdown(int fd, int how);
int sys_getsockname(int fd, void *address, size_t capacity);
int sys_getpeername(int fd, void *address, size_t capacity);
int sys_getsockopt(int fd, int level, int name, int32_t *values, size_t count);
int sys_setsockopt(int fd, int level, int name, int value);

/* messages (sys-message.c) */
int64_t sys_send(int fd, const struct sys_outgoing *message);
enum {
    SYS_ADDRESSED = 1, /* asks for the sender's address */
    SYS_PEEK = 2,      /* leaves the message in the queue; its descriptors are new ones each time */
};
int sys_receive(int fd, void *buffer, size_t capacity, int options, struct sys_incoming *message);
/* Takes the oldest datagram out of the queue, unread. */
int sys_discard(int fd);

/* message queues (sys-mqueue.c), which never wait */
struct sys_mq_attributes {
    int32_t most_messages;
    int32_t message_bytes;
    int32_t current_messages;
};

int sys_mq_attributes(int fd, struct sys_mq_attributes *attributes);
int64_t sys_mq_receive(int fd, void *buffer, size_t capacity, uint32_t *priority);
int sys_mq_send(int fd, const void *data, size_t length, uint32_t priority);

/* descriptors (sys-fd.c) */
int sys_close(int fd);
int sys_pipe(int fds[2]);
/* Never one of the standard streams, whichever of them are closed. */
int sys_duplicate(int fd);
int sys_get_cloexec(int fd);
int sys_set_cloexec(int fd, int on);
int sys_get_nonblocking(int fd);
int sys_set_nonblocking(int fd, int on);
/* The S_IFMT bits of its mode. */
int sys_file_type(int fd);
int sys_get_seals(int fd);
int64_t sys_filesystem_type(int fd);
/* Whether `other` is the same open file description: 1 or 0 (Linux 6.10). */
int sys_dupfd_query(int fd, int other);
/* The same by kcmp(2): 0 if it is. */
int sys_kcmp_file(int fd, int other);

/* processes (sys-process.c) */
struct sys_exit {
    int32_t pid;  /* 0: nobody has ended. */
    int32_t code; /* CLD_EXITED, CLD_KILLED or CLD_DUMPED. */
    int32_t status;
};

int sys_pidfd_open(int pid);
int sys_pidfd_send_signal(int pidfd, int signal);
int sys_waitid(int id_type, int id, int options, struct sys_exit *exit);
int sys_set_subreaper(int on);
int sys_is_subreaper(void);
int sys_get_nofile(uint64_t limits[2]);
int sys_set_nofile(const uint64_t limits[2]);
/* One of the NS_* requests of ioctl_ns(2), by its number. */
int sys_namespace(int fd, int request, int argument);

/* clocks (sys-clock.c) */
/* CLOCK_MONOTONIC, in microseconds. */
int64_t sys_monotonic_usec(void);

/* threads (sys-thread.c) */
typedef void *(*sys_thread_function)(void *);
int sys_thread_start(uint64_t *thread, sys_thread_function function, void *argument);
void sys_thread_join(uint64_t thread);
void sys_thread_detach(uint64_t thread);

/* A syscall(2) that returns -errno. */
long sys_call(long number, long a, long b, long c, long d, long e);

#endif
