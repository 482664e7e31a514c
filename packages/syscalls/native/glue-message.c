/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "sys.h"

#include <string.h>

/* send(fd, data, address?, fds?, credentials?) */
static napi_value
js_send(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct sys_outgoing message = { 0 };
    struct sys_credentials credentials;
    int32_t fd = read_integer(&call, 0);

    message.data = read_bytes(&call, 1, &message.length);
    if (is_given(&call, 2)) message.address = read_bytes(&call, 2, &message.address_length);
    if (is_given(&call, 3)) message.fds = read_integers(&call, 3, &message.fd_count);
    if (is_given(&call, 4)) {
        size_t length;
        const int32_t *ids = read_integers(&call, 4, &length);
        if (!call.failed && length != 3) refuse(&call, 4, "an Int32Array of pid, uid, gid");
        if (call.failed) return NULL;
        credentials = (struct sys_credentials){ ids[0], (uint32_t) ids[1], (uint32_t) ids[2] };
        message.credentials = &credentials;
    }
    return call.failed ? NULL : finish(&call, sys_send(fd, &message));
}

/* sendBatch(fd, payloads, ranges) -> how many were sent, in order. The ranges are pairs of an offset into the payloads and a
 * length. It ends where a call fails; if that is the first one, this is its -errno. */
static napi_value
js_send_batch(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t room, integers;
    int32_t fd = read_integer(&call, 0);
    const uint8_t *payloads = read_bytes(&call, 1, &room);
    const int32_t *ranges = read_integers(&call, 2, &integers);
    int64_t result = 0;
    size_t sent;

    for (size_t i = 0; !call.failed && i + 1 < integers; i += 2)
        if (ranges[i] < 0 || ranges[i + 1] < 0 || (size_t) ranges[i] + (size_t) ranges[i + 1] > room)
            refuse(&call, 2, "ranges of the payloads");
    if (call.failed) return NULL;
    for (sent = 0; 2 * sent + 1 < integers; sent++) {
        struct sys_outgoing message = { .data = payloads + ranges[2 * sent],
                                        .length = (size_t) ranges[2 * sent + 1] };
        result = sys_send(fd, &message);
        if (result < 0) break;
    }
    return finish(&call, sent == 0 && result < 0 ? result : (int64_t) sent);
}

/* How a message is described to src/message-receiver.ts: offset, length, full length, flags, pid, uid, gid,
 * pidfd, number of descriptors, bytes of the sender's address, the descriptors, the address in as many
 * integers as it needs. */
enum { RECORD_HEADER = 10, RECORD_MOST = RECORD_HEADER + SYS_FDS_PER_MESSAGE + SYS_ADDRESS_MOST / 4 };

static size_t
write_record(int32_t *record, size_t offset, const struct sys_incoming *message) {
    record[0] = (int32_t) offset;
    record[1] = (int32_t) message->length;
    record[2] = (int32_t) message->full_length;
    record[3] = (int32_t) message->flags;
    record[4] = message->credentials.pid;
    record[5] = (int32_t) message->credentials.uid;
    record[6] = (int32_t) message->credentials.gid;
    record[7] = message->pidfd;
    record[8] = (int32_t) message->fd_count;
    record[9] = (int32_t) message->address_length;
    for (size_t i = 0; i < message->fd_count; i++) record[RECORD_HEADER + i] = message->fds[i];
    memcpy(record + RECORD_HEADER + message->fd_count, message->address, message->address_length);
    return RECORD_HEADER + message->fd_count + (message->address_length + 3) / 4;
}

/* receive(fd, payloads, records, mostMessages, mostBytes, options) -> number of messages. A batch ends where the queue is empty,
 * the room is used up, or a call failed (the error is then records[0]). The options are those of sys_receive(); with SYS_PEEK,
 * all messages of a batch would be the same one. */
static napi_value
js_receive(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct batch batch = read_batch(&call, RECORD_MOST);
    int32_t options = read_integer(&call, 5);
    if (call.failed) return NULL;

    while (has_room(&batch)) {
        struct sys_incoming message;
        int result =
            sys_receive(batch.fd, batch.payloads + batch.offset, batch.most_bytes, options, &message);
        if (result < 0) {
            batch.records[0] = result;
            break;
        }
        batch.used += write_record(batch.records + batch.used, batch.offset, &message);
        batch.offset += message.length;
        batch.count++;
    }
    return finish(&call, batch.count);
}

static napi_value
js_discard(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_discard);
}

const struct export message_exports[] = {
    { "send", js_send }, { "sendBatch", js_send_batch }, { "receive", js_receive }, { "discard", js_discard },
    { NULL, NULL },
};
