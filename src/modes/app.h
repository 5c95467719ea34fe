/* What all modes have in common at the start: the config file, overridden by the options. */
#ifndef MODES_APP_H
#define MODES_APP_H

#include <stdbool.h>
#include <uv.h>

#include "model/findings.h"
#include "model/rules.h"
#include "modes/options.h"
#include "session/params.h"
#include "target/target.h"

struct arena;
struct config;
struct log;

/* A server that the options name. */
struct app_server {
	const char *name; /* of the configuration; NULL: it has none */
	struct params params;
	const char *const *password_command; /* the configuration's; NULL: none */
	char *command;                       /* options_retype(): what printed hints begin with */
};

struct app {
	struct options options;
	/* Checks what config and modes do not know: names of columns and themes. 0, or a negative
	 * errno after one line on stderr. NULL: nothing more is checked. */
	int (*check)(const struct app *app);
	char error[512];         /* of settings_read() */
	struct arena *arena;     /* of the settings */
	const char *config_path; /* NULL: built-in defaults */
	struct config *config;   /* overridden by the options */
	struct rules rules;      /* the config's, with --app's scope */
	regex_t scope;
	bool scoped;
	struct app_server *servers; /* in the order of the options or the configuration; one at
				       least once they are read */
	size_t n_servers;
	struct params *consoles; /* PgBouncers' admin consoles */
	size_t n_consoles;
	const char *proxy_start; /* the command that starts the proxy, for people; NULL: none */
	struct log *log;         /* NULL: none */
	bool log_failed;         /* the failure of the log was reported */
	uv_loop_t loop;
};

/* What the targets of this run have in common: the caller sets the options that the mode needs, and
 * run_open() what is of one server. */
struct target_options app_target_options(const struct app *app);

/* For a mode that works on one server: false, after a line on standard error, if there are several.
 */
bool app_has_one_server(const struct app *app, const char *mode);

/* The state of the server in a line for the log; the caller frees it. */
char *app_describe_state(const struct assessment *assessment) __attribute__((returns_nonnull));

/* What the options ask for. */
struct findings_limits app_findings_limits(const struct app *app);

/* Whether a mode that ends sessions or processes may begin: it needs a terminal to ask on, or
 * --yes, and must not be read-only. --dry-run needs neither. Says on standard error why not. */
bool app_may_act(const struct app *app, const char *mode);

/* Returns r, a result of printing, after an error message. A reader that has closed the pipe (head)
 * is not an error that is reported. */
int app_check_written(int r);

/* Reports how many lines of this log were not written, if there are any. */
void app_report_unwritten(const char *log, size_t lines);

#endif
