/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "signals.h"

#include <errno.h>
#include <stdlib.h>

/* One signal that an environment catches, and whom it tells. */
struct catching {
    struct catching *next;
    int32_t signal;
    napi_threadsafe_function arrivals;
};

static void
on_arrived(void *context, uint32_t count) {
    struct catching *catching = context;
    /* Fails only while the environment ends, and then nobody is interested. */
    (void) napi_call_threadsafe_function(catching->arrivals, (void *) (uintptr_t) count,
                                         napi_tsfn_nonblocking);
}

/* Runs on the JavaScript thread. */
static void
dispatch(napi_env env, napi_value callback, void *context, void *data) {
    napi_value count;
    (void) context;
    if (env && callback && napi_create_uint32(env, (uint32_t) (uintptr_t) data, &count) == napi_ok)
        call_back(env, callback, 1, &count);
}

static void
stop_catching(void *data) {
    struct catching *catching = data;
    (void) signals_release(catching->signal, catching);
    free(catching);
}

/* catchSignal(signal, callback): arrivals come as callback(count). */
static napi_value
js_catch_signal(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct catching *catching;
    napi_value name;
    int32_t signal = read_integer(&call, 0);

    if (!call.failed && !is_function(&call, 1)) refuse(&call, 1, "a function");
    if (call.failed) return NULL;

    catching = calloc(1, sizeof *catching);
    if (!catching) return finish(&call, -ENOMEM);
    if (napi_create_string_utf8(env, "sdbridge:signals", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, call.arguments[1], NULL, name, 0, 1, NULL, NULL, NULL, dispatch,
                                        &catching->arrivals) != napi_ok) {
        free(catching);
        return finish(&call, -ENOMEM);
    }
    catching->signal = signal;
    int error = signals_catch(signal, on_arrived, catching);
    if (error < 0) {
        (void) napi_release_threadsafe_function(catching->arrivals, napi_tsfn_abort);
        free(catching);
        return finish(&call, error);
    }
    /* Hooks run in reverse order: ours, added after the function's own, comes first. */
    (void) napi_add_env_cleanup_hook(env, stop_catching, catching);
    (void) napi_unref_threadsafe_function(env, catching->arrivals);
    catching->next = call.environment->catchings;
    call.environment->catchings = catching;
    return finish(&call, 0);
}

static napi_value
js_release_signal(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t signal = read_integer(&call, 0);
    if (call.failed) return NULL;

    struct catching **link = &call.environment->catchings;
    while (*link && (*link)->signal != signal) link = &(*link)->next;
    struct catching *catching = *link;
    if (!catching) return finish(&call, -ENOENT);

    *link = catching->next;
    (void) napi_remove_env_cleanup_hook(env, stop_catching, catching);
    napi_threadsafe_function arrivals = catching->arrivals;
    stop_catching(catching);
    (void) napi_release_threadsafe_function(arrivals, napi_tsfn_abort);
    return finish(&call, 0);
}

const struct export signal_exports[] = {
    { "catchSignal", js_catch_signal },
    { "releaseSignal", js_release_signal },
    { NULL, NULL },
};
