/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "closer.h"
#include "sys.h"

static napi_value
js_get_cloexec(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_get_cloexec);
}

static napi_value
js_get_nonblocking(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_get_nonblocking);
}

static napi_value
js_set_cloexec(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_set_cloexec);
}

static napi_value
js_set_nonblocking(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_set_nonblocking);
}

static napi_value
js_file_type(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_file_type);
}

static napi_value
js_get_seals(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_get_seals);
}

static napi_value
js_filesystem_type(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    return call.failed ? NULL : finish(&call, sys_filesystem_type(fd));
}

static napi_value
js_dupfd_query(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_dupfd_query);
}

static napi_value
js_kcmp_file(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_kcmp_file);
}

static napi_value
js_pipe(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    int32_t *fds = read_integers(&call, 0, &length);
    if (!call.failed && length != 2) refuse(&call, 0, "an Int32Array of two");
    return call.failed ? NULL : finish(&call, sys_pipe(fds));
}

static napi_value
js_duplicate(napi_env env, napi_callback_info info) {
    return with_integer(env, info, sys_duplicate);
}

/* own(fd): from here on it ends with the environment at the latest. */
static napi_value
js_own(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    if (call.failed) return NULL;
    /* Only an open one: what is noted takes memory by the height of its number. */
    int result = sys_get_cloexec(fd);
    return finish(&call, result < 0 ? result : owned_add(&call.environment->owned, fd));
}

/* What is closed here does not end with the environment any more: its number may be another's by then. */
static napi_value
close_with(napi_env env, napi_callback_info info, int (*function)(int)) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    if (call.failed) return NULL;
    owned_remove(&call.environment->owned, fd);
    return finish(&call, function(fd));
}

static napi_value
js_close(napi_env env, napi_callback_info info) {
    return close_with(env, info, sys_close);
}

static napi_value
js_close_socket(napi_env env, napi_callback_info info) {
    return close_with(env, info, closer_close_socket);
}

static napi_value
js_close_on_thread(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t count;
    const int32_t *fds = read_integers(&call, 0, &count);
    if (call.failed) return NULL;
    for (size_t i = 0; i < count; i++) owned_remove(&call.environment->owned, fds[i]);
    closer_submit(fds, count);
    return finish(&call, 0);
}

const struct export fd_exports[] = {
    { "own", js_own },
    { "close", js_close },
    { "closeSocket", js_close_socket },
    { "closeOnThread", js_close_on_thread },
    { "pipe", js_pipe },
    { "duplicate", js_duplicate },
    { "getCloexec", js_get_cloexec },
    { "setCloexec", js_set_cloexec },
    { "getNonBlocking", js_get_nonblocking },
    { "setNonBlocking", js_set_nonblocking },
    { "fileType", js_file_type },
    { "getSeals", js_get_seals },
    { "filesystemType", js_filesystem_type },
    { "dupfdQuery", js_dupfd_query },
    { "kcmpFile", js_kcmp_file },
    { NULL, NULL },
};
