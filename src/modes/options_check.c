#include "modes/options_check.h"

#include <errno.h>
#include <stdio.h>

#include "modes/options.h"

static int refuse(const char *text)
{
	fprintf(stderr, "dbtop: %s\nTry 'dbtop --help'.\n", text);
	return -EINVAL;
}

static bool has_shutdown_option(const struct options *options)
{
	return options->signal || options->target || options->after || options->ready_timeout ||
		options->timeout || options->junit || options->ready || options->repeat ||
		options->strict || options->expect.count;
}

static int check_shutdown_test(const struct options *options)
{
	if (options->mode != MODE_SHUTDOWN_TEST && has_shutdown_option(options))
		return refuse("--signal, --target, --ready, --ready-timeout, --after, --timeout, "
			      "--expect, --repeat, --strict and --junit go with "
			      "--shutdown-test");
	if (options->mode == MODE_SHUTDOWN_TEST && !options->command)
		return refuse("--shutdown-test needs a command: --shutdown-test -- COMMAND...");
	if (options->mode == MODE_SHUTDOWN_TEST && options->readonly)
		return refuse("--readonly forbids --shutdown-test: it ends what is left");
	return 0;
}

/* Which leaks count, and how many slots are to be free. */
static int check_findings(struct options *options)
{
	bool reports = options->mode == MODE_ONCE || options->mode == MODE_JSON;
	if (options->proven_only && options->least && options->least != CERTAINTY_PROVEN)
		return refuse("--proven-only is --min-certainty proven: another certainty "
			      "excludes it");
	if (options->proven_only)
		options->least = CERTAINTY_PROVEN;
	if (options->least && !reports && options->mode != MODE_KILL_LEAKED &&
		options->mode != MODE_GUARD && options->mode != MODE_DASHBOARD)
		return refuse("--min-certainty and --proven-only go with --kill-leaked, --guard, "
			      "--once, --json and the dashboard");
	if (options->min_free && !reports && !options->metrics)
		return refuse("--min-free goes with --once, --json and --metrics");
	return 0;
}

/* Modes that run until they are ended cannot ask anybody. */
static int check_guard(const struct options *options)
{
	if (options->for_time && options->mode != MODE_GUARD)
		return refuse("--for goes with --guard");
	if (options->metrics && options->mode != MODE_GUARD && options->mode != MODE_METRICS)
		return refuse("--metrics is used alone or with --guard");
	if (options->json && options->mode == MODE_METRICS)
		return refuse("--metrics prints nothing, so --json does not go with it");
	if (options->ask_password && (options->mode == MODE_GUARD || options->mode == MODE_METRICS))
		return refuse("--guard and --metrics never ask, so -W does not go with them");
	return 0;
}

/* Modes that work on one server refuse several. How many --all means is known later. */
static int check_servers(const struct options *options)
{
	bool none = options->mode == MODE_DEMO || options->mode == MODE_REPLAY;
	if (options->all && options->servers.count)
		return refuse("--all is all databases of the configuration: give no CONNINFO "
			      "with it");
	if (none && (options->all || options->servers.count > 1))
		return refuse("--demo and --replay connect to no other server");
	return 0;
}

int options_check(struct options *options)
{
	if (options->mode == MODE_HELP || options->mode == MODE_VERSION)
		return 0;
	if (options->never_password && options->ask_password)
		return refuse("-w and -W exclude each other");
	if (options->metrics && options->mode == MODE_DASHBOARD)
		options->mode = MODE_METRICS;
	if (options->json && (options->mode == MODE_DASHBOARD || options->mode == MODE_ONCE))
		options->mode = MODE_JSON;
	if (options->json &&
		(options->mode == MODE_DEMO || options->mode == MODE_REPLAY ||
			options->mode == MODE_WATCH))
		return refuse("--demo, --replay and --watch open the dashboard, so --json does "
			      "not go with them");
	if ((options->count || options->follow) && options->mode != MODE_JSON)
		return refuse("--count and --follow go with --json");
	if (options->count && options->follow)
		return refuse("--count and --follow exclude each other");
	bool acts = options->mode == MODE_KILL_LEAKED || options->mode == MODE_GUARD ||
		options->mode == MODE_EMERGENCY;
	if ((options->dry_run || options->yes) && !acts)
		return refuse("--dry-run and --yes go with --kill-leaked, --guard and --emergency");
	int r = check_servers(options);
	if (r == 0)
		r = check_findings(options);
	if (r == 0)
		r = check_guard(options);
	if (r < 0)
		return r;
	if (options->force && options->mode != MODE_EMERGENCY)
		return refuse("--force goes with --emergency");
	if (options->pids.count && options->mode != MODE_EMERGENCY)
		return refuse("--pid goes with --emergency");
	if (options->all_users && options->mode != MODE_EMERGENCY &&
		options->mode != MODE_DASHBOARD)
		return refuse("--all-users goes with --emergency and the dashboard");
	if (options->readonly && acts && !options->dry_run)
		return refuse("--readonly forbids actions; --dry-run shows the plan");
	return check_shutdown_test(options);
}
