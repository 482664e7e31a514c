/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "execute.h"
#include "sys.h"

#include <errno.h>
#include <stdlib.h>

static napi_value
js_pidfd_open(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_pidfd_open);
}

static napi_value
js_pidfd_send_signal(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_pidfd_send_signal);
}

/* waitid(idType, id, options, Int32Array of pid, code, status) */
static napi_value
js_waitid(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct sys_exit exit;
    size_t length;
    int32_t id_type = read_integer(&call, 0), id = read_integer(&call, 1);
    int32_t options = read_integer(&call, 2);
    int32_t *facts = read_integers(&call, 3, &length);
    if (!call.failed && length != 3) refuse(&call, 3, "an Int32Array of three");
    if (call.failed) return NULL;

    int result = sys_waitid(id_type, id, options, &exit);
    facts[0] = exit.pid;
    facts[1] = exit.code;
    facts[2] = exit.status;
    return finish(&call, result);
}

static napi_value
js_set_subreaper(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_set_subreaper);
}

static napi_value
js_is_subreaper(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    return call.failed ? NULL : finish(&call, sys_is_subreaper());
}

static uint64_t *
read_limits(struct call *call, size_t index) {
    size_t length;
    uint64_t *limits = read_longs(call, index, &length);
    if (!call->failed && length != 2) refuse(call, index, "a BigUint64Array of soft and hard limit");
    return limits;
}

static napi_value
js_get_nofile(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    uint64_t *limits = read_limits(&call, 0);
    return call.failed ? NULL : finish(&call, sys_get_nofile(limits));
}

static napi_value
js_set_nofile(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    const uint64_t *limits = read_limits(&call, 0);
    return call.failed ? NULL : finish(&call, sys_set_nofile(limits));
}

static napi_value
js_monotonic_usec(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    return call.failed ? NULL : finish(&call, sys_monotonic_usec());
}

static napi_value
js_namespace(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0), request = read_integer(&call, 1);
    int32_t argument = read_integer(&call, 2);
    return call.failed ? NULL : finish(&call, sys_namespace(fd, request, argument));
}

/* Splits NUL-terminated strings, one after the other, into a vector that ends with NULL; returns the byte after
 * the last, or NULL if there are fewer than `count`. */
static char *
split(char *text, const char *end, char **vector, size_t count) {
    for (size_t i = 0; i < count; i++) {
        vector[i] = text;
        while (text < end && *text) text++;
        if (text == end) return NULL;
        text++;
    }
    vector[count] = NULL;
    return text;
}

/* execute(strings, counts, fds, sets, limits?): the strings are the file, the arguments and the environment, each ended by
 * a NUL; counts, how many of the latter two there are; fds, pairs of numbers in the new program and here; sets, the
 * signals ignored and blocked; limits, soft and hard, of open descriptors, if they are to change. */
static napi_value
js_execute(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct execution execution = { 0 };
    size_t length, lengths, numbers, sets;
    char *text = (char *) read_bytes(&call, 0, &length);
    const int32_t *counts = read_integers(&call, 1, &lengths);
    execution.fds = read_integers(&call, 2, &numbers);
    const uint64_t *signals = read_longs(&call, 3, &sets);
    execution.file_limits = is_given(&call, 4) ? read_limits(&call, 4) : NULL;

    if (!call.failed && (lengths != 2 || counts[0] < 0 || counts[1] < 0))
        refuse(&call, 1, "an Int32Array of two counts");
    if (!call.failed && numbers % 2) refuse(&call, 2, "an Int32Array of pairs");
    if (!call.failed && sets != 2) refuse(&call, 3, "a BigUint64Array of two");
    if (call.failed) return NULL;

    size_t arguments = (size_t) counts[0], variables = (size_t) counts[1];
    char *file[2], **vector = calloc(arguments + variables + 2, sizeof *vector);
    if (!vector) return finish(&call, -ENOMEM);

    const char *end = text + length;
    text = split(text, end, file, 1);
    if (text) text = split(text, end, vector, arguments);
    if (text) text = split(text, end, vector + arguments + 1, variables);

    int64_t result = -EINVAL;
    if (text) {
        execution.file = file[0];
        execution.arguments = vector;
        execution.environment = vector + arguments + 1;
        execution.fd_pairs = numbers / 2;
        execution.ignored = signals[0];
        execution.blocked = signals[1];
        result = execute(&execution);
    }
    free(vector);
    return finish(&call, result);
}

const struct export process_exports[] = {
    { "pidfdOpen", js_pidfd_open },
    { "pidfdSendSignal", js_pidfd_send_signal },
    { "waitid", js_waitid },
    { "setSubreaper", js_set_subreaper },
    { "isSubreaper", js_is_subreaper },
    { "getNofile", js_get_nofile },
    { "setNofile", js_set_nofile },
    { "monotonicUsec", js_monotonic_usec },
    { "namespace", js_namespace },
    { "execute", js_execute },
    { NULL, NULL },
};
