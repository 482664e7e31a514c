/* SPDX-License-Identifier: MIT */
/* Real-time signals, which Node cannot catch. signalfd(2) is no way: it needs the signal blocked in every
 * thread, and Node has started its threads long before anybody asks. So a handler counts, and a thread
 * reports. */
#ifndef SDBRIDGE_SIGNALS_H
#define SDBRIDGE_SIGNALS_H

#include <stdint.h>

/* Called on the thread of this file: `count` signals have arrived since the last call. */
typedef void (*signals_arrived)(void *context, uint32_t count);

/* A signal has one catcher in the process; -EBUSY for a second, -EINVAL for one that is no real-time
 * signal or that the C library keeps for itself. */
int signals_catch(int signal, signals_arrived arrived, void *context);
/* Gives the signal its old disposition back, if `context` catches it. No call comes after this returns. */
int signals_release(int signal, const void *context);

#endif
