/* SPDX-License-Identifier: MIT */
/* A receiver of notifications over AF_VSOCK, for a guest, in plain system calls.
 *
 *   peer stream|seqpacket|dgram PORT MANNER
 *
 * Prints a line for what happens, with bytes in hexadecimal:
 *
 *   listening
 *   connection CID PORT          from where; a datagram: datagram CID PORT BYTES
 *   data BYTES                   what one call received
 *   end                          the sender has shut its side down
 *   reset ERRNO                  or the connection has failed
 *
 * MANNER is what it does with a connection: "close" it after its end, as a service manager does; "talk", that is,
 * answer a byte before that; "drop" it unread; "hold" it open after its end until a byte comes on standard input;
 * "wait" for such a byte before it reads. */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char bytes[1 << 20];

static void
die(const char *what) {
    perror(what);
    exit(1);
}

static void
print(const char *what, const unsigned char *data, ssize_t length) {
    printf("%s ", what);
    for (ssize_t i = 0; i < length; i++) printf("%02x", data[i]);
    printf("\n");
    fflush(stdout);
}

static void
print_from(const char *what, const struct sockaddr_vm *from, const char *end) {
    printf("%s %u %u%s", what, from->svm_cid, from->svm_port, end);
    fflush(stdout);
}

static void
await_byte(void) {
    char byte;
    if (read(STDIN_FILENO, &byte, 1) < 0) die("read");
}

static void
serve(int fd, const char *manner) {
    ssize_t length;
    if (strcmp(manner, "drop") == 0) return;
    if (strcmp(manner, "wait") == 0) await_byte();
    while ((length = recv(fd, bytes, sizeof bytes, 0)) > 0) print("data", bytes, length);
    if (length < 0)
        printf("reset %d\n", errno);
    else
        printf("end\n");
    fflush(stdout);
    if (strcmp(manner, "talk") == 0) (void) !send(fd, "x", 1, MSG_NOSIGNAL);
    if (strcmp(manner, "hold") == 0) await_byte();
}

static void
accept_all(int listener, const char *manner) {
    for (;;) {
        struct sockaddr_vm from;
        socklen_t length = sizeof from;
        int fd = accept(listener, (struct sockaddr *) &from, &length);
        if (fd < 0) die("accept");
        print_from("connection", &from, "\n");
        serve(fd, manner);
        close(fd);
    }
}

static void
receive_all(int fd) {
    for (;;) {
        struct sockaddr_vm from;
        socklen_t from_length = sizeof from;
        ssize_t length = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *) &from, &from_length);
        if (length < 0) die("recvfrom");
        print_from("datagram", &from, "");
        print("", bytes, length);
    }
}

static int
type_of(const char *name) {
    if (strcmp(name, "stream") == 0) return SOCK_STREAM;
    return strcmp(name, "dgram") == 0 ? SOCK_DGRAM : SOCK_SEQPACKET;
}

int
main(int argc, char **argv) {
    if (argc != 4) return 2;
    int type = type_of(argv[1]);
    int fd = socket(AF_VSOCK, type, 0);
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
    address.svm_port = (unsigned) strtoul(argv[2], NULL, 10);
    if (fd < 0) die("socket");
    if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0) die("bind");
    if (type != SOCK_DGRAM && listen(fd, 16) < 0) die("listen");
    printf("listening\n");
    fflush(stdout);
    if (type == SOCK_DGRAM)
        receive_all(fd);
    else
        accept_all(fd, argv[3]);
}
