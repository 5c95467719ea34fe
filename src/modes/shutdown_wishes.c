#include "modes/shutdown_wishes.h"

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

int shutdown_wishes_read(
	const struct options *options, bool readonly, struct shutdown_wishes *ret_wishes)
{
	struct shutdown_wishes wishes = {
		.signal_number = shutdown_signal_parse(options->signal ? options->signal : "INT"),
		.timeout = TIMEOUT_DEFAULT,
		.ready = options->ready ? options->ready : 1,
		.rounds = options->repeat ? options->repeat : 1,
	};
	if (!wishes.signal_number) {
		fprintf(stderr,
			"dbtop: --signal: expected INT, TERM, HUP, QUIT, KILL, … or a number, "
			"found \"%s\"\n",
			options->signal);
		return -EINVAL;
	}
	int r = read_duration(options->after, "after", &wishes.after);
	if (r == 0)
		r = read_duration(options->timeout, "timeout", &wishes.timeout);
	if (r == 0 && wishes.timeout == 0) {
		fputs("dbtop: --timeout: it takes some time to end\n", stderr);
		return -EINVAL;
	}
	if (r == 0 && readonly) {
		fputs("dbtop: read-only: --shutdown-test ends what is left, and cannot\n", stderr);
		return -EPERM;
	}
	if (r == 0)
		*ret_wishes = wishes;
	return r;
}
