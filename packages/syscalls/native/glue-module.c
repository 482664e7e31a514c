/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "glue.h"

#include <stdlib.h>

static const struct export *const tables[] = {
    socket_exports, message_exports, mqueue_exports, fd_exports,
    poller_exports, process_exports, signal_exports,
};

static void
end_environment(napi_env env, void *data, void *hint) {
    struct environment *environment = data;
    (void) env;
    (void) hint;
    free_pollings(environment);
    owned_close_all(&environment->owned);
    free(environment);
}

static bool
add(napi_env env, napi_value exports, const struct export *each, struct environment *environment) {
    napi_value function;
    return napi_create_function(env, each->name, NAPI_AUTO_LENGTH, each->function, environment, &function) ==
               napi_ok &&
           napi_set_named_property(env, exports, each->name, function) == napi_ok;
}

NAPI_MODULE_INIT() {
    struct environment *environment = calloc(1, sizeof *environment);
    if (!environment || napi_set_instance_data(env, environment, end_environment, NULL) != napi_ok) {
        free(environment);
        (void) napi_throw_error(env, "ENOMEM", "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct export *each = tables[i]; each->name; each++)
            if (!add(env, exports, each, environment)) return NULL;
    return exports;
}
