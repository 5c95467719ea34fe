/* The command line. */
#ifndef MODES_OPTIONS_H
#define MODES_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum mode {
	MODE_DASHBOARD,
	MODE_ONCE,
	MODE_JSON,
	MODE_KILL_LEAKED,
	MODE_EMERGENCY,
	MODE_REPLAY,
	MODE_SHUTDOWN_TEST,
	MODE_WATCH,
	MODE_DEMO,
	MODE_HELP,
	MODE_VERSION,
};

enum exit_status {
	EXIT_CLEAN = 0,
	EXIT_LEAKS = 1,   /* leaks found, or something survived */
	EXIT_USAGE = 2,   /* wrong usage or configuration */
	EXIT_UNKNOWN = 3, /* unreachable, or not allowed to see */
};

#define OPTIONS_LIST_MAX 64

/* An option that may be given more than once. */
struct option_list {
	const char *items[OPTIONS_LIST_MAX];
	size_t count;
};

/* As given: what was not is NULL, false or 0. Strings point into argv. */
struct options {
	enum mode mode;
	const char *host, *port, *user, *database;
	const char *conninfo; /* the operand: URI, key=value, or a name */
	bool never_password, ask_password;
	const char *config, *app;
	const char *replay; /* MODE_REPLAY: the recording; "-" is standard input */
	/* laid over the config file's keys, and checked as these are */
	const char *interval, *theme, *log, *idle_limit, *transaction_limit, *held_limit, *pages;
	struct option_list pgbouncer;
	bool readonly, no_query_text;
	bool json, follow; /* json may stand beside another mode: its result as one object */
	long count;
	bool dry_run, yes, proven_only, force, all_users;
	const char *watch;
	/* of --shutdown-test; the command is what stands behind --, NULL-terminated */
	const char *signal, *after, *timeout, *junit;
	long ready, repeat;
	bool strict;
	char **command;
};

/* 0, or −EINVAL after one line on stderr that says what is wrong. */
int options_parse(int argc, char **argv, struct options *ret_options)
	__attribute__((warn_unused_result));

/* An option as the completions and the manual know it; argument is NULL without one, letter 0, help
 * NULL when --help tells it beside another. */
struct option_info {
	const char *name, *argument, *help;
	char letter;
};

/* The i-th option; false when there are no more. */
bool options_info(size_t i, struct option_info *ret_info);

/* --help: fits a screen of 80×24. */
void options_help(FILE *file);

#endif
