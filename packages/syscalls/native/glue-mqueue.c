/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "sys.h"

/* mqAttributes(fd, attributes) */
static napi_value
js_mq_attributes(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    struct sys_mq_attributes attributes;
    int32_t fd = read_integer(&call, 0);
    int32_t *integers = read_integers(&call, 1, &length);

    if (!call.failed && length != 3) refuse(&call, 1, "an Int32Array of three");
    if (call.failed) return NULL;
    int result = sys_mq_attributes(fd, &attributes);
    if (result == 0) {
        integers[0] = attributes.most_messages;
        integers[1] = attributes.message_bytes;
        integers[2] = attributes.current_messages;
    }
    return finish(&call, result);
}

/* mqReceive(fd, payloads, records, mostMessages, mostBytes) -> number of messages, each described to
 * src/queue-receiver.ts by offset, length, priority. A batch ends as one of js_receive(). */
static napi_value
js_mq_receive(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct batch batch = read_batch(&call, 3);
    if (call.failed) return NULL;

    while (has_room(&batch)) {
        uint32_t priority = 0;
        int64_t result = sys_mq_receive(batch.fd, batch.payloads + batch.offset, batch.most_bytes, &priority);
        if (result < 0) {
            batch.records[0] = (int32_t) result;
            break;
        }
        int32_t *record = batch.records + batch.used;
        record[0] = (int32_t) batch.offset;
        record[1] = (int32_t) result;
        record[2] = (int32_t) priority;
        batch.used += 3;
        batch.offset += (size_t) result;
        batch.count++;
    }
    return finish(&call, batch.count);
}

/* mqSend(fd, data, priority) */
static napi_value
js_mq_send(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    int32_t fd = read_integer(&call, 0);
    const uint8_t *data = read_bytes(&call, 1, &length);
    int32_t priority = read_integer(&call, 2);
    return call.failed ? NULL : finish(&call, sys_mq_send(fd, data, length, (uint32_t) priority));
}

const struct export mqueue_exports[] = {
    { "mqAttributes", js_mq_attributes },
    { "mqReceive", js_mq_receive },
    { "mqSend", js_mq_send },
    { NULL, NULL },
};
