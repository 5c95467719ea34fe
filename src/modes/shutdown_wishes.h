/* What a shutdown test was asked to do, read from the command line. */
#ifndef MODES_SHUTDOWN_WISHES_H
#define MODES_SHUTDOWN_WISHES_H

#include <stdbool.h>
#include <stdint.h>

struct options;

struct shutdown_wishes {
	int signal_number;
	int64_t after;   /* µs from when it is ready to the signal */
	int64_t timeout; /* µs it has to end, and to get ready at least; not 0 */
	long ready;      /* connections that make it ready */
	long rounds;
};

/* Returns 0, or a negative errno once stderr says what is wrong: -EINVAL; -EPERM when `readonly`,
 * as a test ends what is left. */
int shutdown_wishes_read(const struct options *options, bool readonly,
	struct shutdown_wishes *ret_wishes) __attribute__((warn_unused_result));

#endif
