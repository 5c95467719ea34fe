/* The options of a shutdown test, read from the command line. */
#ifndef MODES_SHUTDOWN_OPTIONS_H
#define MODES_SHUTDOWN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options;

struct shutdown_options {
	int signal_number;
	int64_t after;   /* µs between getting ready and the signal */
	int64_t timeout; /* µs that the command may take to end; it may take at least as long to get
			    ready; not 0 */
	long ready;      /* the number of connections at which the command is ready */
	long rounds;
};

/* Returns 0, or a negative errno after a message on stderr: -EINVAL; -EPERM if `readonly`, because
 * a test ends what is left. */
int shutdown_options_read(const struct options *options, bool readonly,
	struct shutdown_options *ret_options) __attribute__((warn_unused_result));

#endif
