/* SPDX-License-Identifier: MIT */
/* Node-API: reads arguments, calls the layer below, hands back its result (>= 0, or -errno, of which
 * src/system-error.ts makes an Error). The glue-*.c are the only files that know JavaScript.
 *
 * A wrong argument throws a TypeError: misuse from JavaScript must never end the process. */
#ifndef SDBRIDGE_GLUE_H
#define SDBRIDGE_GLUE_H

#define NAPI_VERSION 8
#include <node_api.h>

#include "owned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_ARGUMENTS 6

/* What one environment (the main thread, or one Worker) has. */
struct environment {
    struct owned owned;
    struct polling *pollings;
    struct catching *catchings;
};

struct call {
    napi_env env;
    size_t count;
    napi_value arguments[MOST_ARGUMENTS];
    struct environment *environment;
    bool failed; /* An exception is pending. */
};

/* A function of the addon, as JavaScript sees it; a table of them ends with one without a name. */
struct export {
    const char *name;
    napi_callback function;
};

/* arguments (glue-arguments.c). After the first that is refused, all reads are idle, and `failed` says so. */
struct call begin(napi_env env, napi_callback_info info);
napi_value finish(struct call *call, int64_t result);
void refuse(struct call *call, size_t index, const char *expected);
bool is_given(struct call *call, size_t index);
int32_t read_integer(struct call *call, size_t index);
/* The memory is JavaScript's: it stays valid until the function returns. */
uint8_t *read_bytes(struct call *call, size_t index, size_t *length);
int32_t *read_integers(struct call *call, size_t index, size_t *length);
uint64_t *read_longs(struct call *call, size_t index, size_t *length);
bool is_function(struct call *call, size_t index);

/* Where a batch of messages is described and stored: (fd, payloads, records, mostMessages, mostBytes). The
 * records are [error, then for each message some integers]. Plain integers in memory that exists already, so
 * nothing can fail between the kernel's hand-over and the caller. */
struct batch {
    int32_t fd, most_messages, count;
    uint8_t *payloads;
    size_t room, most_bytes, offset;
    int32_t *records;
    size_t integers, most_integers, used;
};

/* `most_integers`: what one message can need of the records. */
struct batch read_batch(struct call *call, size_t most_integers);
/* Whether there is room for one more message. */
bool has_room(const struct batch *batch);

/* Whole functions, for calls that take nothing but integers. */
napi_value with_integer(napi_env env, napi_callback_info info, int (*function)(int));
napi_value with_two_integers(napi_env env, napi_callback_info info, int (*function)(int, int));

/* Calls JavaScript from its own event loop, where nobody catches what it throws. */
void call_back(napi_env env, napi_value callback, size_t count, const napi_value *arguments);

extern const struct export socket_exports[], message_exports[], fd_exports[], poller_exports[];
extern const struct export process_exports[], signal_exports[], mqueue_exports[];

/* What the environment's end does with its pollers, whose threads have ended before (glue-poller.c). */
void free_pollings(struct environment *environment);

#endif
