/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"

void
refuse(struct call *call, size_t index, const char *expected) {
    char message[64] = "argument 0 must be ";
    size_t length = sizeof "argument 0 must be " - 1;

    if (call->failed) return;
    call->failed = true;
    message[sizeof "argument " - 1] = (char) ('0' + index);
    while (*expected && length < sizeof message - 1) message[length++] = *expected++;
    message[length] = 0;
    (void) napi_throw_type_error(call->env, "ERR_INVALID_ARG_TYPE", message);
}

struct call
begin(napi_env env, napi_callback_info info) {
    struct call call = { .env = env, .count = MOST_ARGUMENTS };
    void *data = NULL;
    if (napi_get_cb_info(env, info, &call.count, call.arguments, NULL, &data) != napi_ok) call.failed = true;
    call.environment = data;
    return call;
}

/* A double is read first: NaN, fractions and numbers beyond 32 bits would otherwise be cut silently. */
int32_t
read_integer(struct call *call, size_t index) {
    double number = 0;
    if (call->failed) return 0;
    if (index >= call->count ||
        napi_get_value_double(call->env, call->arguments[index], &number) != napi_ok ||
        !(number >= INT32_MIN && number <= INT32_MAX) || number != (double) (int32_t) number)
        refuse(call, index, "a 32-bit integer");
    return call->failed ? 0 : (int32_t) number;
}

bool
is_given(struct call *call, size_t index) {
    napi_valuetype type = napi_undefined;
    return index < call->count && napi_typeof(call->env, call->arguments[index], &type) == napi_ok &&
           type != napi_undefined;
}

bool
is_function(struct call *call, size_t index) {
    napi_valuetype type = napi_undefined;
    return index < call->count && napi_typeof(call->env, call->arguments[index], &type) == napi_ok &&
           type == napi_function;
}

static void *
read_array(struct call *call, size_t index, napi_typedarray_type wanted, const char *expected,
           size_t *length) {
    napi_typedarray_type type = wanted;
    void *data = NULL;

    *length = 0;
    if (call->failed) return NULL;
    if (index >= call->count ||
        napi_get_typedarray_info(call->env, call->arguments[index], &type, length, &data, NULL, NULL) !=
            napi_ok ||
        type != wanted) {
        refuse(call, index, expected);
        *length = 0;
        return NULL;
    }
    return data;
}

uint8_t *
read_bytes(struct call *call, size_t index, size_t *length) {
    return read_array(call, index, napi_uint8_array, "a Uint8Array", length);
}

int32_t *
read_integers(struct call *call, size_t index, size_t *length) {
    return read_array(call, index, napi_int32_array, "an Int32Array", length);
}

uint64_t *
read_longs(struct call *call, size_t index, size_t *length) {
    return read_array(call, index, napi_biguint64_array, "a BigUint64Array", length);
}

struct batch
read_batch(struct call *call, size_t most_integers) {
    struct batch batch = { .most_integers = most_integers, .used = 1 };
    batch.fd = read_integer(call, 0);
    batch.payloads = read_bytes(call, 1, &batch.room);
    batch.records = read_integers(call, 2, &batch.integers);
    batch.most_messages = read_integer(call, 3);
    int32_t most_bytes = read_integer(call, 4);

    if (!call->failed && batch.integers < 1 + most_integers) refuse(call, 2, "a larger Int32Array");
    if (!call->failed && (most_bytes < 1 || (size_t) most_bytes > batch.room))
        refuse(call, 4, "at least 1 and at most the room");
    if (call->failed) return batch;
    batch.most_bytes = (size_t) most_bytes;
    batch.records[0] = 0;
    return batch;
}

bool
has_room(const struct batch *batch) {
    return batch->count < batch->most_messages && batch->room - batch->offset >= batch->most_bytes &&
           batch->integers - batch->used >= batch->most_integers;
}

napi_value
finish(struct call *call, int64_t result) {
    napi_value value = NULL;
    if (call->failed || napi_create_int64(call->env, result, &value) != napi_ok) return NULL;
    return value;
}

napi_value
with_integer(napi_env env, napi_callback_info info, int (*function)(int)) {
    struct call call = begin(env, info);
    int32_t only = read_integer(&call, 0);
    return call.failed ? NULL : finish(&call, function(only));
}

napi_value
with_two_integers(napi_env env, napi_callback_info info, int (*function)(int, int)) {
    struct call call = begin(env, info);
    int32_t first = read_integer(&call, 0), second = read_integer(&call, 1);
    return call.failed ? NULL : finish(&call, function(first, second));
}

void
call_back(napi_env env, napi_value callback, size_t count, const napi_value *arguments) {
    napi_value receiver, error;
    bool pending = false;

    if (napi_get_undefined(env, &receiver) != napi_ok) return;
    (void) napi_call_function(env, receiver, callback, count, arguments, NULL);
    /* An exception of the callback is the program's: it becomes 'uncaughtException'. */
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
        (void) napi_fatal_exception(env, error);
}
