#include "modes/shutdown_options.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/shutdown.h"
#include "modes/options.h"

#define READY_TIMEOUT_DEFAULT (60 * USEC_PER_SEC)
#define TIMEOUT_DEFAULT       (10 * USEC_PER_SEC)

static int refuse(const char *name, const char *expected, const char *found)
{
	fprintf(stderr, "dbtop: --%s: expected %s, found \"%s\"\nTry 'dbtop --help'.\n", name,
		expected, found);
	return -EINVAL;
}

static int read_duration(const char *text, const char *name, int64_t *ret)
{
	if (!text || duration_parse(text, ret) == 0)
		return 0;
	return refuse(name, "a number of seconds", text);
}

/* A time that must not be 0. */
static int read_limit(const char *text, const char *name, int64_t *ret)
{
	int r = read_duration(text, name, ret);
	return r == 0 && *ret == 0 ? refuse(name, "more than 0 seconds", text) : r;
}

static int read_signal(const char *text, struct shutdown_options *options)
{
	if (strcasecmp(text, "none") == 0)
		return 0;
	options->signal_number = shutdown_signal_parse(text);
	return options->signal_number
		? 0
		: refuse("signal", "INT, TERM, HUP, QUIT, KILL, …, a number, or none", text);
}

/* A terminal and systemd signal the group. Docker and Kubernetes signal the first process alone, by
 * TERM. */
static int read_target(const char *text, struct shutdown_options *options)
{
	int number = options->signal_number;
	options->alone = number != SIGINT && number != SIGQUIT && number != SIGHUP;
	if (!text)
		return 0;
	if (!number) {
		fputs("dbtop: --target: no signal is sent, by --signal none\n", stderr);
		return -EINVAL;
	}
	options->alone = strcmp(text, "leader") == 0;
	return options->alone || strcmp(text, "group") == 0
		? 0
		: refuse("target", "group or leader", text);
}

static int read_end(const char *text, struct shutdown_end *ret_end)
{
	char *rest;
	long number = strtol(text, &rest, 10);
	bool is_number = rest != text && !*rest;
	*ret_end = is_number ? (struct shutdown_end){ false, (int)number }
			     : (struct shutdown_end){ true, shutdown_signal_parse(text) };
	if (is_number ? number >= 0 && number <= 255 : ret_end->number != 0)
		return 0;
	return refuse("expect", "an exit status from 0 to 255, or a signal's name", text);
}

static int read_ends(const struct option_list *list, struct shutdown_rules *rules)
{
	if (list->count > SHUTDOWN_ENDS_MOST) {
		fprintf(stderr, "dbtop: --expect: %d at most\n", SHUTDOWN_ENDS_MOST);
		return -EINVAL;
	}
	for (size_t i = 0; i < list->count; i++) {
		int r = read_end(list->items[i], &rules->expected[rules->n_expected++]);
		if (r < 0)
			return r;
	}
	return 0;
}

int shutdown_options_read(
	const struct options *options, bool readonly, struct shutdown_options *ret_options)
{
	struct shutdown_options wanted = {
		.ready_timeout = READY_TIMEOUT_DEFAULT,
		.timeout = TIMEOUT_DEFAULT,
		.ready = options->ready ? options->ready : 1,
		.rounds = options->repeat ? options->repeat : 1,
		.rules.strict = options->strict,
	};
	int r = read_signal(options->signal ? options->signal : "INT", &wanted);
	if (r == 0)
		r = read_target(options->target, &wanted);
	if (r == 0)
		r = read_duration(options->after, "after", &wanted.after);
	if (r == 0)
		r = read_limit(options->ready_timeout, "ready-timeout", &wanted.ready_timeout);
	if (r == 0)
		r = read_limit(options->timeout, "timeout", &wanted.timeout);
	if (r == 0)
		r = read_ends(&options->expect, &wanted.rules);
	if (r == 0 && readonly) {
		fputs("dbtop: read-only: --shutdown-test ends what is left, and cannot\n", stderr);
		return -EPERM;
	}
	wanted.unlimited = !wanted.signal_number && !options->timeout;
	if (r == 0)
		*ret_options = wanted;
	return r;
}
