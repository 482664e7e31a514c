/* SPDX-License-Identifier: MIT */
/* Node-API: reads arguments, calls the layer below, hands back its result (>= 0, or -errno, of which
 * src/system-error.ts makes an Error). The one file that includes a JavaScript header.
 *
 * A wrong argument throws a TypeError: misuse from JavaScript must never end the process. */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>

#include "closer.h"
#include "owned.h"
#include "poller.h"
#include "sys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define MOST_ARGUMENTS 6

/* One poller and whom it tells. A program that loads the JavaScript around this twice (test runners do)
 * has two. */
struct polling {
    struct polling *next;
    int32_t id;
    bool running;
    struct poller poller;
    napi_threadsafe_function events;
};

/* What one environment (the main thread, or one Worker) has. */
struct environment {
    struct owned owned;
    struct polling *pollings;
};

struct call {
    napi_env env;
    size_t count;
    napi_value arguments[MOST_ARGUMENTS];
    struct environment *environment;
    bool failed; /* An exception is pending. */
};

/* Arguments */

static void
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

static struct call
begin(napi_env env, napi_callback_info info) {
    struct call call = { .env = env, .count = MOST_ARGUMENTS };
    void *data = NULL;
    if (napi_get_cb_info(env, info, &call.count, call.arguments, NULL, &data) != napi_ok)
        call.failed = true;
    call.environment = data;
    return call;
}

/* A double is read first: NaN, fractions and numbers beyond 32 bits would otherwise be cut silently. */
static int32_t
read_integer(struct call *call, size_t index) {
    double number = 0;
    if (call->failed) return 0;
    if (index >= call->count ||
        napi_get_value_double(call->env, call->arguments[index], &number) != napi_ok ||
        !(number >= INT32_MIN && number <= INT32_MAX) || number != (double) (int32_t) number)
        refuse(call, index, "a 32-bit integer");
    return call->failed ? 0 : (int32_t) number;
}

static bool
is_given(struct call *call, size_t index) {
    napi_valuetype type = napi_undefined;
    return index < call->count &&
           napi_typeof(call->env, call->arguments[index], &type) == napi_ok &&
           type != napi_undefined;
}

static void *
read_array(struct call *call, size_t index, napi_typedarray_type wanted, const char *expected,
           size_t *length) {
    bool is_array = false;
    napi_typedarray_type type = wanted;
    void *data = NULL;

    *length = 0;
    if (call->failed) return NULL;
    if (index >= call->count ||
        napi_is_typedarray(call->env, call->arguments[index], &is_array) != napi_ok || !is_array ||
        napi_get_typedarray_info(call->env, call->arguments[index], &type, length, &data, NULL,
                                 NULL) != napi_ok ||
        type != wanted) {
        refuse(call, index, expected);
        *length = 0;
        return NULL;
    }
    return data;
}

static uint8_t *
read_bytes(struct call *call, size_t index, size_t *length) {
    return read_array(call, index, napi_uint8_array, "a Uint8Array", length);
}

static int32_t *
read_integers(struct call *call, size_t index, size_t *length) {
    return read_array(call, index, napi_int32_array, "an Int32Array", length);
}

static napi_value
finish(struct call *call, int64_t result) {
    napi_value value = NULL;
    if (call->failed || napi_create_int64(call->env, result, &value) != napi_ok) return NULL;
    return value;
}

/* Sockets */

/* socket(domain, type, protocol, owned): an owned one ends with the environment at the latest. */
static napi_value
js_socket(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t domain = read_integer(&call, 0), type = read_integer(&call, 1);
    int32_t protocol = read_integer(&call, 2), owned = read_integer(&call, 3);
    if (call.failed) return NULL;

    int fd = sys_socket(domain, type, protocol);
    int error = fd >= 0 && owned ? owned_add(&call.environment->owned, fd) : 0;
    if (error == 0) return finish(&call, fd);
    (void) sys_close(fd);
    return finish(&call, error);
}

static napi_value
js_bind(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    int32_t fd = read_integer(&call, 0);
    const uint8_t *address = read_bytes(&call, 1, &length);
    return call.failed ? NULL : finish(&call, sys_bind(fd, address, length));
}

static napi_value
js_connect(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    int32_t fd = read_integer(&call, 0);
    const uint8_t *address = read_bytes(&call, 1, &length);
    return call.failed ? NULL : finish(&call, sys_connect(fd, address, length));
}

static napi_value
js_listen(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0), backlog = read_integer(&call, 1);
    return call.failed ? NULL : finish(&call, sys_listen(fd, backlog));
}

static napi_value
js_getsockname(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t capacity;
    int32_t fd = read_integer(&call, 0);
    uint8_t *address = read_bytes(&call, 1, &capacity);
    return call.failed ? NULL : finish(&call, sys_getsockname(fd, address, capacity));
}

static napi_value
js_getpeername(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t capacity;
    int32_t fd = read_integer(&call, 0);
    uint8_t *address = read_bytes(&call, 1, &capacity);
    return call.failed ? NULL : finish(&call, sys_getpeername(fd, address, capacity));
}

static napi_value
js_getsockopt(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t length;
    int32_t fd = read_integer(&call, 0), level = read_integer(&call, 1);
    int32_t name = read_integer(&call, 2);
    int32_t *value = read_integers(&call, 3, &length);
    if (!call.failed && length < 1) refuse(&call, 3, "an Int32Array of one");
    return call.failed ? NULL : finish(&call, sys_getsockopt(fd, level, name, value));
}

static napi_value
js_setsockopt(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0), level = read_integer(&call, 1);
    int32_t name = read_integer(&call, 2), value = read_integer(&call, 3);
    return call.failed ? NULL : finish(&call, sys_setsockopt(fd, level, name, value));
}

/* Datagrams */

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
        credentials =
            (struct sys_credentials) { ids[0], (uint32_t) ids[1], (uint32_t) ids[2] };
        message.credentials = &credentials;
    }
    return call.failed ? NULL : finish(&call, sys_send(fd, &message));
}

/* How a batch is described to src/datagram-receiver.ts: [error, then for each message: offset, length,
 * full length, flags, pid, uid, gid, pidfd, number of descriptors, the descriptors]. Plain integers in
 * memory that exists already, so nothing can fail between the kernel's hand-over and the caller. */
enum { RECORD_HEADER = 9, RECORD_MOST = RECORD_HEADER + SYS_FDS_PER_MESSAGE };

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
    for (size_t i = 0; i < message->fd_count; i++) record[RECORD_HEADER + i] = message->fds[i];
    return RECORD_HEADER + message->fd_count;
}

/* receive(fd, payloads, records, mostMessages, mostBytes) -> number of messages. A batch ends where the
 * queue is empty, the room is used up, or a call failed (the error is then records[0]). */
static napi_value
js_receive(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    size_t room, integers, offset = 0, used = 1;
    int32_t count = 0;
    int32_t fd = read_integer(&call, 0);
    uint8_t *payloads = read_bytes(&call, 1, &room);
    int32_t *records = read_integers(&call, 2, &integers);
    int32_t most_messages = read_integer(&call, 3), most_bytes = read_integer(&call, 4);

    if (!call.failed && integers < 1 + RECORD_MOST) refuse(&call, 2, "a larger Int32Array");
    if (!call.failed && (most_bytes < 1 || (size_t) most_bytes > room))
        refuse(&call, 4, "at least 1 and at most the room");
    if (call.failed) return NULL;

    records[0] = 0;
    while (count < most_messages && room - offset >= (size_t) most_bytes &&
           integers - used >= RECORD_MOST) {
        struct sys_incoming message;
        int result = sys_receive(fd, payloads + offset, (size_t) most_bytes, &message);
        if (result < 0) {
            records[0] = result;
            break;
        }
        used += write_record(records + used, offset, &message);
        offset += message.length;
        count++;
    }
    return finish(&call, count);
}

/* Descriptors */

static napi_value
with_fd(napi_env env, napi_callback_info info, int (*function)(int)) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    return call.failed ? NULL : finish(&call, function(fd));
}

static napi_value
with_fd_and_flag(napi_env env, napi_callback_info info, int (*function)(int, int)) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0), flag = read_integer(&call, 1);
    return call.failed ? NULL : finish(&call, function(fd, flag));
}

static napi_value
js_pidfd_open(napi_env env, napi_callback_info info) {
    return with_fd(env, info, sys_pidfd_open);
}

static napi_value
js_get_cloexec(napi_env env, napi_callback_info info) {
    return with_fd(env, info, sys_get_cloexec);
}

static napi_value
js_get_nonblocking(napi_env env, napi_callback_info info) {
    return with_fd(env, info, sys_get_nonblocking);
}

static napi_value
js_set_cloexec(napi_env env, napi_callback_info info) {
    return with_fd_and_flag(env, info, sys_set_cloexec);
}

static napi_value
js_set_nonblocking(napi_env env, napi_callback_info info) {
    return with_fd_and_flag(env, info, sys_set_nonblocking);
}

static napi_value
js_filesystem_type(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    return call.failed ? NULL : finish(&call, sys_filesystem_type(fd));
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
js_close(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    if (call.failed) return NULL;
    owned_remove(&call.environment->owned, fd);
    return finish(&call, sys_close(fd));
}

static napi_value
js_close_socket(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 0);
    if (call.failed) return NULL;
    owned_remove(&call.environment->owned, fd);
    return finish(&call, closer_close_socket(fd));
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

/* Readiness */

/* One ready descriptor in the 64 bits of a pointer: 32 of descriptor, 27 of generation, 5 of events
 * (EPOLLIN 1, EPOLLOUT 4, EPOLLERR 8, EPOLLHUP 16). Nothing is allocated, so nothing can leak. */
#define GENERATION_MASK 0x7ffffffu
#define EVENTS_MASK 0x1fu

static void
on_ready(void *context, int fd, uint32_t generation, uint32_t events) {
    struct polling *polling = context;
    uint64_t packed = (uint64_t) (uint32_t) fd << 32 | (uint64_t) (generation & GENERATION_MASK) << 5 |
                      (events & EVENTS_MASK);
    /* Fails only while the environment ends, and then nobody is interested. */
    (void) napi_call_threadsafe_function(polling->events, (void *) (uintptr_t) packed,
                                         napi_tsfn_nonblocking);
}

/* Runs on the JavaScript thread. */
static void
dispatch(napi_env env, napi_value callback, void *context, void *data) {
    uint64_t packed = (uint64_t) (uintptr_t) data;
    napi_value receiver, arguments[3], error;
    bool pending = false;

    (void) context;
    if (!env || !callback) return;
    if (napi_get_undefined(env, &receiver) != napi_ok ||
        napi_create_uint32(env, (uint32_t) (packed >> 32), &arguments[0]) != napi_ok ||
        napi_create_uint32(env, (uint32_t) (packed >> 5) & GENERATION_MASK, &arguments[1]) !=
            napi_ok ||
        napi_create_uint32(env, (uint32_t) packed & EVENTS_MASK, &arguments[2]) != napi_ok)
        return;

    (void) napi_call_function(env, receiver, callback, 3, arguments, NULL);
    /* An exception of the callback is the program's: it becomes 'uncaughtException'. */
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
        (void) napi_fatal_exception(env, error);
}

static void
stop_polling(void *data) {
    struct polling *polling = data;
    poller_stop(&polling->poller);
    polling->running = false;
}

/* startPolling(callback) -> id of the poller. Its events arrive as callback(fd, generation, events). */
static napi_value
js_start_polling(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct environment *environment = call.environment;
    struct polling *polling;
    napi_valuetype type = napi_undefined;
    napi_value name;

    if (call.failed) return NULL;
    if (call.count < 1 || napi_typeof(env, call.arguments[0], &type) != napi_ok ||
        type != napi_function) {
        refuse(&call, 0, "a function");
        return NULL;
    }
    polling = calloc(1, sizeof *polling);
    if (!polling) return finish(&call, -ENOMEM);
    if (napi_create_string_utf8(env, "sdbridge:poller", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, call.arguments[0], NULL, name, 0, 1, NULL, NULL, NULL,
                                        dispatch, &polling->events) != napi_ok) {
        free(polling);
        return finish(&call, -ENOMEM);
    }

    int error = poller_start(&polling->poller, on_ready, polling);
    if (error < 0) {
        (void) napi_release_threadsafe_function(polling->events, napi_tsfn_abort);
        free(polling);
        return finish(&call, error);
    }
    /* Hooks run in reverse order: ours, added after the function's own, joins the thread first. */
    (void) napi_add_env_cleanup_hook(env, stop_polling, polling);
    (void) napi_unref_threadsafe_function(env, polling->events);
    polling->running = true;
    polling->id = environment->pollings ? environment->pollings->id + 1 : 0;
    polling->next = environment->pollings;
    environment->pollings = polling;
    return finish(&call, polling->id);
}

static struct polling *
read_polling(struct call *call, size_t index) {
    int32_t id = read_integer(call, index);
    struct polling *polling = call->failed ? NULL : call->environment->pollings;
    while (polling && polling->id != id) polling = polling->next;
    return polling && polling->running ? polling : NULL;
}

static napi_value
js_keep_alive(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct polling *polling = read_polling(&call, 0);
    int32_t on = read_integer(&call, 1);
    if (call.failed) return NULL;
    if (!polling) return finish(&call, -EBADF);
    (void) (on ? napi_ref_threadsafe_function(env, polling->events)
               : napi_unref_threadsafe_function(env, polling->events));
    return finish(&call, 0);
}

static napi_value
js_watch(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct polling *polling = read_polling(&call, 0);
    int32_t fd = read_integer(&call, 1), generation = read_integer(&call, 2);
    int32_t events = read_integer(&call, 3);
    if (call.failed) return NULL;
    if (!polling) return finish(&call, -EBADF);
    return finish(&call, poller_watch(&polling->poller, fd, (uint32_t) generation,
                                      (uint32_t) events));
}

static napi_value
js_unwatch(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct polling *polling = read_polling(&call, 0);
    int32_t fd = read_integer(&call, 1);
    if (call.failed) return NULL;
    if (!polling) return finish(&call, -EBADF);
    return finish(&call, poller_unwatch(&polling->poller, fd));
}

/* The module */

static void
end_environment(napi_env env, void *data, void *hint) {
    struct environment *environment = data;
    (void) env;
    (void) hint;
    while (environment->pollings) {
        struct polling *polling = environment->pollings;
        environment->pollings = polling->next;
        free(polling);
    }
    owned_close_all(&environment->owned);
    free(environment);
}

static const struct {
    const char *name;
    napi_callback function;
} functions[] = {
    { "socket", js_socket },
    { "bind", js_bind },
    { "connect", js_connect },
    { "listen", js_listen },
    { "getsockname", js_getsockname },
    { "getpeername", js_getpeername },
    { "getsockopt", js_getsockopt },
    { "setsockopt", js_setsockopt },
    { "send", js_send },
    { "receive", js_receive },
    { "close", js_close },
    { "closeSocket", js_close_socket },
    { "closeOnThread", js_close_on_thread },
    { "pipe", js_pipe },
    { "pidfdOpen", js_pidfd_open },
    { "getCloexec", js_get_cloexec },
    { "setCloexec", js_set_cloexec },
    { "getNonBlocking", js_get_nonblocking },
    { "setNonBlocking", js_set_nonblocking },
    { "filesystemType", js_filesystem_type },
    { "startPolling", js_start_polling },
    { "keepAlive", js_keep_alive },
    { "watch", js_watch },
    { "unwatch", js_unwatch },
};

NAPI_MODULE_INIT() {
    struct environment *environment = calloc(1, sizeof *environment);
    if (!environment || napi_set_instance_data(env, environment, end_environment, NULL) != napi_ok) {
        free(environment);
        (void) napi_throw_error(env, "ENOMEM", "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function,
                                 environment, &function) != napi_ok ||
            napi_set_named_property(env, exports, functions[i].name, function) != napi_ok)
            return NULL;
    }
    return exports;
}
