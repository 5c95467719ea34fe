/* One input, and what must hold of it: a target aborts when something does not.
 *
 * Each target is a program of its own. Linked with driver.c it runs its seeds and what comes of
 * changing them; linked with libfuzzer.c, by clang and with -Dlibfuzzer=true, it is libFuzzer's,
 * which looks for inputs that reach more: tools/fuzz. Seeds are in tests/data/fuzz/, or made by
 * make_seeds.c with the code that writes what the target reads. docs/reliability.md has more. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target. Whether the code under test accepted the input and made something of it: what is
 * refused at once tests nothing behind that. A seed is accepted, unless its name begins with
 * "refused-". */
bool fuzz_one(const uint8_t *data, size_t size);

/* assert() stays out of it: these hold in any build. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
