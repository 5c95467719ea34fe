/* The command line. */
#ifndef MODES_OPTIONS_H
#define MODES_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/verdict.h"

enum mode {
	MODE_DASHBOARD,
	MODE_ONCE,
	MODE_JSON,
	MODE_KILL_LEAKED,
	MODE_EMERGENCY,
	MODE_GUARD,   /* perhaps with metrics */
	MODE_METRICS, /* without the guard */
	MODE_REPLAY,
	MODE_SHUTDOWN_TEST,
	MODE_WATCH,
	MODE_PEERS,
	MODE_DEMO,
	MODE_HELP,
	MODE_VERSION,
};

enum exit_status {
	EXIT_CLEAN = 0,
	EXIT_LEAKS = 1,   /* leaks were found, or not everything could be ended */
	EXIT_USAGE = 2,   /* wrong usage or configuration */
	EXIT_UNKNOWN = 3, /* the server is unreachable, or our role may not see what is needed */
};

#define OPTIONS_LIST_MAX 64

/* An option that may be given more than once. */
struct option_list {
	const char *items[OPTIONS_LIST_MAX];
	size_t count;
};

struct option_pids {
	int32_t items[OPTIONS_LIST_MAX];
	size_t count;
};

/* The options as given: options that were not given are NULL, false or 0. Strings point into argv.
 */
struct options {
	enum mode mode;
	const char *host, *port, *user, *database;
	/* the operands: each a URI, key=value pairs, or a name */
	struct option_list servers;
	bool all; /* all databases of the configuration; no operands */
	bool never_password, ask_password;
	const char *config, *app;
	const char *replay; /* MODE_REPLAY: the recording; "-" is standard input */
	/* these override keys of the config file, and are checked like the keys */
	const char *interval, *theme, *log, *idle_limit, *transaction_limit, *held_limit, *pages;
	struct option_list pgbouncer, host_agents;
	bool readonly, no_query_text;
	bool json, follow;    /* json together with another mode prints that mode's result as one
				 object */
	enum certainty least; /* CERTAINTY_NONE: not given, all count */
	long min_free;        /* 0: not given */
	const char *for_time; /* --guard --for */
	const char *metrics;  /* "[ADDRESS:]PORT" */
	long count;
	bool dry_run, yes, proven_only, force, all_users;
	struct option_pids pids; /* --emergency stops only these; none: no choice */
	const char *watch;
	/* for --shutdown-test; the command is what follows --, NULL-terminated */
	const char *signal, *target, *after, *ready_timeout, *timeout, *junit;
	struct option_list expect;
	long ready, repeat;
	bool strict;
	char **command;
};

/* What goes together is checked by options_check(). Returns 0, or −EINVAL after one line on stderr
 * that describes the error. */
int options_parse(int argc, char **argv, struct options *ret_options)
	__attribute__((warn_unused_result));

/* A copy of a connection string or a name without its passwords; NULL if it cannot be read. */
typedef char *options_clean_fn(const char *conninfo);

/* "dbtop -h 127.0.0.1 --idle-limit 5s app": the command line again for one server, with only the
 * options that say where to connect and what counts as leaked. `server` is the operand; NULL: none.
 * `clean` is for the connection strings. The caller frees it. */
char *options_retype(const struct options *options, const char *server, options_clean_fn *clean);

/* An option as completions and the manual use it. argument is NULL if it has none, letter is 0,
 * help is NULL if --help shows the option in the line of another. */
struct option_info {
	const char *name, *argument, *help;
	char letter;
};

/* The i-th option; false when there are no more. */
bool options_info(size_t i, struct option_info *ret_info);

/* Prints --help, in 80 columns. There are more than 24 lines: each mode has its own, because --help
 * is where users look for it. */
void options_help(FILE *file);

#endif
