/*
 * What an interpreter that ends its own process for lack of memory has printed to stderr before, because a signal alone does
 * not tell it from abort() (runtimes/protocol.md).
 */
#ifndef RUN_LAST_WORDS_H
#define RUN_LAST_WORDS_H

#include <stdbool.h>

#include "base/fields.h"

/* Whether one of the lines says so. printed: the end of what the process printed. */
bool last_words_out_of_memory(struct str printed);

#endif
