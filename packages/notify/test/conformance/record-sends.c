/* SPDX-License-Identifier: MIT */
/* Preloaded into a program, it appends one line of JSON to $SDBRIDGE_RECORD for each connect(2), sendto(2) and sendmsg(2) on a
 * unix datagram socket: what of a notification the receiver does not see. The calls themselves are made as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    getsockopt(fd, SOL_SOCKET, name, &value, &length);
    return value;
}

static void
append_address(FILE *line, const void *address, socklen_t length) {
    const unsigned char *bytes = address;
    fputs(",\"address\":\"", line);
    for (socklen_t i = 0; bytes != NULL && i < length; i++) fprintf(line, "%02x", bytes[i]);
    fputs("\"", line);
}

static void
append_control(FILE *line, const struct msghdr *message) {
    struct msghdr *walked = (struct msghdr *) message;
    const char *separator = "";
    fputs(",\"control\":[", line);
    for (struct cmsghdr *each = CMSG_FIRSTHDR(walked); each != NULL; each = CMSG_NXTHDR(walked, each)) {
        size_t size = each->cmsg_len - CMSG_LEN(0);
        int numbers[3] = { 0 };
        memcpy(numbers, CMSG_DATA(each), size < sizeof(numbers) ? size : sizeof(numbers));
        if (each->cmsg_type == SCM_RIGHTS)
            fprintf(line, "%s\"rights %zu\"", separator, size / sizeof(int));
        else if (each->cmsg_type == SCM_CREDENTIALS)
            fprintf(line, "%s\"credentials %d %d %d\"", separator, numbers[0], numbers[1], numbers[2]);
        else
            fprintf(line, "%s\"%d\"", separator, each->cmsg_type);
        separator = ",";
    }
    fputs("]", line);
}

static void
finish(FILE *line, char **text, size_t *length) {
    fputs("}\n", line);
    fclose(line);
    const char *path = getenv("SDBRIDGE_RECORD");
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
        if (write(fd, *text, *length) < 0) perror(path);
        close(fd);
    }
    free(*text);
}

static int
is_unix_datagram(int fd) {
    return option(fd, SO_DOMAIN) == AF_UNIX && option(fd, SO_TYPE) == SOCK_DGRAM;
}

static void
record_connect(int fd, const void *address, socklen_t length, int error) {
    if (!is_unix_datagram(fd)) return;
    char *text = NULL;
    size_t size = 0;
    FILE *line = open_memstream(&text, &size);
    fprintf(line, "{\"call\":\"connect\",\"errno\":%d", error);
    append_address(line, address, length);
    finish(line, &text, &size);
}

static void
record_sendmsg(int fd, const struct msghdr *message, int flags, int error) {
    if (!is_unix_datagram(fd)) return;
    char *text = NULL;
    size_t size = 0, bytes = 0;
    FILE *line = open_memstream(&text, &size);
    for (size_t i = 0; i < message->msg_iovlen; i++) bytes += message->msg_iov[i].iov_len;
    fprintf(line, "{\"call\":\"sendmsg\",\"errno\":%d,\"bytes\":%zu,\"flags\":%d,\"sendBuffer\":%d", error,
            bytes, flags, option(fd, SO_SNDBUF));
    append_address(line, message->msg_name, message->msg_namelen);
    append_control(line, message);
    finish(line, &text, &size);
}

typedef long (*syscall_function)(long, ...);

/* The addon makes its calls by this; libsystemd by the function below. */
long
syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    long result =
        ((syscall_function) dlsym(RTLD_NEXT, "syscall"))(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int error = errno, told = result < 0 ? error : 0;
    if (number == SYS_connect) record_connect((int) a[0], (const void *) a[1], (socklen_t) a[2], told);
    if (number == SYS_sendmsg) record_sendmsg((int) a[0], (const struct msghdr *) a[1], (int) a[2], told);
    if (number == SYS_sendto) {
        struct iovec payload = { (void *) a[1], (size_t) a[2] };
        struct msghdr message = { (void *) a[4], (socklen_t) a[5], &payload, 1, NULL, 0, 0 };
        record_sendmsg((int) a[0], &message, (int) a[3], told);
    }
    errno = error;
    return result;
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t (*real)(int, const struct msghdr *, int);
    *(void **) &real = dlsym(RTLD_NEXT, "sendmsg");
    ssize_t result = real(fd, message, flags);
    int error = errno;
    record_sendmsg(fd, message, flags, result < 0 ? error : 0);
    errno = error;
    return result;
}
