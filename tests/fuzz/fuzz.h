/* One input, and what must hold of it: a target aborts when something does not.
 *
 * Each target is a program of its own. Linked with driver.c it runs its seeds, in tests/data/fuzz/,
 * and what comes of changing them; built by clang with -Dlibfuzzer=true it is libFuzzer's, which
 * looks for new ones: build/tests/fuzz/fuzz_config tests/data/fuzz/config */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's name for it. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() stays out of it: these hold in any build. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
