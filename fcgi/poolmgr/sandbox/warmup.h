/*
 * Loads a function before its first invocation: poolmgr itself sends INIT and waits for READY. What is printed meanwhile is
 * kept for the first invocation. As always, everything that comes from the sandbox is hostile.
 */
#ifndef POOLMGR_SANDBOX_WARMUP_H
#define POOLMGR_SANDBOX_WARMUP_H

#include <stdint.h>
#include <uv.h>

struct sandbox;

/*
 * why NULL: the code is loaded, and the sandbox still WARMING. Otherwise why says what went wrong, and the sandbox must be
 * killed.
 */
typedef void (*warmup_fn)(struct sandbox *sandbox, const char *why);

void warmup_init(uv_loop_t *loop, warmup_fn done);

/*
 * The sandbox must be ASSIGNED and becomes WARMING. done may be called from within; if the sandbox is killed before, done is
 * not called.
 */
void warmup_start(struct sandbox *sandbox);

/* Ends loading that takes longer than init_timeout_ms; called every tick. */
void warmup_tick(int64_t now_us);

#endif
