#include "modes/shutdown_options.h"

#include <errno.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/shutdown.h"
#include "modes/options.h"

#define TIMEOUT_DEFAULT (10 * USEC_PER_SEC)

static int read_duration(const char *text, const char *name, int64_t *ret)
{
	if (!text || duration_parse(text, ret) == 0)
		return 0;
	fprintf(stderr,
		"dbtop: --%s: expected a number of seconds, found \"%s\"\nTry 'dbtop --help'.\n",
		name, text);
	return -EINVAL;
}

int shutdown_options_read(
	const struct options *options, bool readonly, struct shutdown_options *ret_options)
{
	struct shutdown_options wanted = {
		.signal_number = shutdown_signal_parse(options->signal ? options->signal : "INT"),
		.timeout = TIMEOUT_DEFAULT,
		.ready = options->ready ? options->ready : 1,
		.rounds = options->repeat ? options->repeat : 1,
	};
	if (!wanted.signal_number) {
		fprintf(stderr,
			"dbtop: --signal: expected INT, TERM, HUP, QUIT, KILL, … or a number, "
			"found \"%s\"\n",
			options->signal);
		return -EINVAL;
	}
	int r = read_duration(options->after, "after", &wanted.after);
	if (r == 0)
		r = read_duration(options->timeout, "timeout", &wanted.timeout);
	if (r == 0 && wanted.timeout == 0) {
		fputs("dbtop: --timeout: it takes some time to end\n", stderr);
		return -EINVAL;
	}
	if (r == 0 && readonly) {
		fputs("dbtop: read-only: --shutdown-test ends what is left, and cannot\n", stderr);
		return -EPERM;
	}
	if (r == 0)
		*ret_options = wanted;
	return r;
}
