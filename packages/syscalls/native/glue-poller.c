/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"
#include "poller.h"

#include <errno.h>
#include <stdlib.h>

/* One poller and whom it tells. A program that loads the JavaScript around this twice (test runners do)
 * has two. */
struct polling {
    struct polling *next;
    int32_t id;
    bool running;   /* Until the environment ends. */
    bool abandoned; /* Its thread could not be stopped, and may still look at this. */
    struct poller poller;
    napi_threadsafe_function events;
};

/* One ready descriptor in the 64 bits of a pointer: 32 of descriptor, 27 of generation, 5 of events
 * (EPOLLIN 1, EPOLLOUT 4, EPOLLERR 8, EPOLLHUP 16). Nothing is allocated, so nothing can leak. */
#define GENERATION_MASK 0x7ffffffu
#define EVENTS_MASK     0x1fu

static void
on_ready(void *context, int fd, uint32_t generation, uint32_t events) {
    struct polling *polling = context;
    uint64_t packed = (uint64_t) (uint32_t) fd << 32 | (uint64_t) (generation & GENERATION_MASK) << 5 |
                      (events & EVENTS_MASK);
    /* Fails only while the environment ends, and then nobody is interested. */
    (void) napi_call_threadsafe_function(polling->events, (void *) (uintptr_t) packed, napi_tsfn_nonblocking);
}

/* Runs on the JavaScript thread. */
static void
dispatch(napi_env env, napi_value callback, void *context, void *data) {
    uint64_t packed = (uint64_t) (uintptr_t) data;
    napi_value arguments[3];
    (void) context;
    if (env && callback && napi_create_uint32(env, (uint32_t) (packed >> 32), &arguments[0]) == napi_ok &&
        napi_create_uint32(env, (uint32_t) (packed >> 5) & GENERATION_MASK, &arguments[1]) == napi_ok &&
        napi_create_uint32(env, (uint32_t) packed & EVENTS_MASK, &arguments[2]) == napi_ok)
        call_back(env, callback, 3, arguments);
}

static void
stop_polling(void *data) {
    struct polling *polling = data;
    polling->abandoned = !poller_stop(&polling->poller);
    polling->running = false;
}

/* startPolling(callback) -> id of the poller. Its events arrive as callback(fd, generation, events). */
static napi_value
js_start_polling(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    struct environment *environment = call.environment;
    struct polling *polling;
    napi_value name;

    if (!call.failed && !is_function(&call, 0)) refuse(&call, 0, "a function");
    if (call.failed) return NULL;
    polling = calloc(1, sizeof *polling);
    if (!polling) return finish(&call, -ENOMEM);
    if (napi_create_string_utf8(env, "sdbridge:poller", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, call.arguments[0], NULL, name, 0, 1, NULL, NULL, NULL, dispatch,
                                        &polling->events) != napi_ok) {
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

/* The last argument to be read: NULL if there is no such poller, which is EBADF, and if an argument was refused, which
 * finish() knows. */
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
    int32_t on = read_integer(&call, 1);
    struct polling *polling = read_polling(&call, 0);
    if (!polling) return finish(&call, -EBADF);
    (void) (on ? napi_ref_threadsafe_function(env, polling->events)
               : napi_unref_threadsafe_function(env, polling->events));
    return finish(&call, 0);
}

static napi_value
js_watch(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 1), generation = read_integer(&call, 2);
    int32_t events = read_integer(&call, 3);
    struct polling *polling = read_polling(&call, 0);
    if (!polling) return finish(&call, -EBADF);
    return finish(&call, poller_watch(&polling->poller, fd, (uint32_t) generation, (uint32_t) events));
}

static napi_value
js_unwatch(napi_env env, napi_callback_info info) {
    struct call call = begin(env, info);
    int32_t fd = read_integer(&call, 1);
    struct polling *polling = read_polling(&call, 0);
    return finish(&call, polling ? poller_unwatch(&polling->poller, fd) : -EBADF);
}

void
free_pollings(struct environment *environment) {
    while (environment->pollings) {
        struct polling *polling = environment->pollings;
        environment->pollings = polling->next;
        if (!polling->abandoned) free(polling);
    }
}

const struct export poller_exports[] = {
    { "startPolling", js_start_polling },
    { "keepAlive", js_keep_alive },
    { "watch", js_watch },
    { "unwatch", js_unwatch },
    { NULL, NULL },
};
