/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "sys.h"

static napi_value
with_fd_and_bytes(napi_env env, napi_callback_info info, int (*function)(int, const void *, size_t)) {
    struct call call = begin(env, info);
    size_t length;
    int32_t fd = read_integer(&call, 0);
    const uint8_t *bytes = read_bytes(&call, 1, &length);
    return call.failed ? NULL : finish(&call, function(fd, bytes, length));
}

static napi_value
with_fd_and_room(napi_env env, napi_callback_info info, int (*function)(int, void *, size_t)) {
    struct call call = begin(env, info);
    size_t capacity;
    int32_t fd = read_integer(&call, 0);
    uint8_t *room = read_bytes(&call, 1, &capacity);
    return call.failed ? NULL : finish(&call, function(fd, room, capacity));
}

/* Hands over a new descriptor, or closes it if it cannot be noted. */
static napi_value
finish_with_fd(struct call *call, int fd, bool owned) {
    int error = fd >= 0 && owned ? owned_add(&call->environment->owned, fd) : 0;
    if (error == 0) return finish(call, fd);
    (void) sys_close(fd);
    return finish(call, error);
}

/* socket(domain, type, protocol, owned): an owned one ends with the environment at the latest. */
static napi_value
js_socket(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t domain = read_integer(&call, 0), type = read_integer(&call, 1);
    int32_t protocol = read_integer(&call, 2), owned = read_integer(&call, 3);
    return call.failed ? NULL : finish_with_fd(&call, sys_socket(domain, type, protocol), owned);
}

static napi_value
js_bind(napi_env env, napi_callback_info info) {
    return with_fd_and_bytes(env, info, sys_bind);
}

static napi_value
js_connect(napi_env env, napi_callback_info info) {
    return with_fd_and_bytes(env, info, sys_connect);
}

static napi_value
js_listen(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_listen);
}

/* accept(fd, owned) */
static napi_value
js_accept(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0), owned = read_integer(&call, 1);
    return call.failed ? NULL : finish_with_fd(&call, sys_accept(fd), owned);
}

static napi_value
js_shutdown(napi_env env, napi_callback_info info) {
    return with_two_integers(env, info, sys_shutdown);
}

static napi_value
js_getsockname(napi_env env, napi_callback_info info) {
    return with_fd_and_room(env, info, sys_getsockname);
}

static napi_value
js_getpeername(napi_env env, napi_callback_info info) {
    return with_fd_and_room(env, info, sys_getpeername);
}

static napi_value
js_getsockopt(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    int32_t fd = read_integer(&call, 0), level = read_integer(&call, 1);
    int32_t name = read_integer(&call, 2);
    int32_t *values = read_integers(&call, 3, &length);
    if (!call.failed && length < 1) refuse(&call, 3, "an Int32Array of at least one");
    return call.failed ? NULL : finish(&call, sys_getsockopt(fd, level, name, values, length));
}

static napi_value
js_setsockopt(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0), level = read_integer(&call, 1);
    int32_t name = read_integer(&call, 2), value = read_integer(&call, 3);
    return call.failed ? NULL : finish(&call, sys_setsockopt(fd, level, name, value));
}

const struct export socket_exports[] = {
    { "socket", js_socket },
    { "bind", js_bind },
    { "connect", js_connect },
    { "listen", js_listen },
    { "accept", js_accept },
    { "shutdown", js_shutdown },
    { "getsockname", js_getsockname },
    { "getpeername", js_getpeername },
    { "getsockopt", js_getsockopt },
    { "setsockopt", js_setsockopt },
    { NULL, NULL },
};
