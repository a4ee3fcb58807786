/* Time, in microseconds. Deadlines are monotonic; only what a person or the database sees is wall-clock time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_mono_us(void); /* CLOCK_MONOTONIC: the same in every process of the machine */
int64_t clock_wall_us(void); /* since 1970, UTC */

/* Milliseconds left until a monotonic deadline, rounded up, within 0..INT_MAX: what poll(2) wants. */
int clock_left_ms(int64_t deadline_us);

/* RFC 3339, UTC, milliseconds: "2026-01-31T12:00:00.000Z". out has at least CLOCK_TEXT_SIZE bytes. */
#define CLOCK_TEXT_SIZE 32
void clock_format_utc(int64_t wall_us, char *out);
void clock_format_utc_us(int64_t wall_us, char *out); /* the same with microseconds */

/*
 * Accepts RFC 3339 ("2026-01-31T13:00:00.5+01:00") or whole seconds since 1970; false, with *wall_us untouched, for anything
 * else.
 */
bool clock_parse(const char *text, int64_t *wall_us);

#endif
