/* The one function of a fuzz target, as libFuzzer calls it: a decoder gets data and must neither crash nor break its contract.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
