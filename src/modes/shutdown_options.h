/* The options of a shutdown test, read from the command line. */
#ifndef MODES_SHUTDOWN_OPTIONS_H
#define MODES_SHUTDOWN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/shutdown.h"

struct options;

struct shutdown_options {
	int signal_number;     /* 0: no signal is sent, it ends by itself */
	bool alone;            /* the command alone is signalled, not its process group */
	int64_t after;         /* µs between getting ready and the signal */
	int64_t ready_timeout; /* µs that the command may take to get ready */
	int64_t timeout;       /* µs that the command may take to end; not 0 */
	bool unlimited;        /* without a signal: it may take any time until it begins to end */
	long ready;            /* the number of connections at which the command is ready */
	long rounds;
	struct shutdown_rules rules;
};

/* Returns 0, or a negative errno after a message on stderr: -EINVAL; -EPERM if `readonly`, because
 * a test ends what is left. */
int shutdown_options_read(const struct options *options, bool readonly,
	struct shutdown_options *ret_options) __attribute__((warn_unused_result));

#endif
