/*
 * Loading a function before anybody calls it: poolmgr sends INIT itself and waits for READY, instead of the worker of the first
 * invocation. What is printed meanwhile is dropped. What comes from the sandbox is hostile, as ever.
 */
#ifndef POOLMGR_SANDBOX_WARMUP_H
#define POOLMGR_SANDBOX_WARMUP_H

#include <stdint.h>
#include <uv.h>

struct sandbox;

/* why NULL: it is ready, and still WARMING. Else in words, from the agent perhaps; it is of no use then. */
typedef void (*warmup_fn)(struct sandbox *sandbox, const char *why);

void warmup_init(uv_loop_t *loop, warmup_fn done);

/* The sandbox is ASSIGNED and becomes WARMING; done may be called from within. It may also be killed before that is called. */
void warmup_start(struct sandbox *sandbox);

/* Ends what takes longer than init_timeout_ms; called every tick. */
void warmup_tick(int64_t now_us);

#endif
