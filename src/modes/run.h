/* One run of dbtop on one server or more: a target for each, signals, the password, the wait for
 *the first answers, the audit log and the exit status. All modes begin and end with it.
 *
 *	run = run_open(…); make what the mode needs of targets and audit;
 *	return run_to_end(run, free_that);
 *
 * A server is a number from 0 to run_n_servers() − 1, in the order of app->servers. Each has its
 *own session, clock and backoff: none waits for another. */
#ifndef MODES_RUN_H
#define MODES_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"

struct app;
struct assessment;
struct audit;
struct run;

struct run_options {
	struct target_options target; /* of app_target_options(); the run sets what is of one
					 server, `data` and `assessed` */
	void *data;
	/* Whether to begin with this server's assessment; if not, the run waits for the next one.
	 * NULL: the run has begun when it is opened, and asks for no password. */
	bool (*is_enough)(const struct run *run, size_t server);
	bool unattended; /* nobody can be asked for a password: the session tries again when the
			    server refuses ours */
	/* How much longer it waits while the first attempts to connect are still under way; µs. */
	int64_t more_time;
	/* Called once for each server: its assessment is enough, or the time is over. */
	void (*begun)(void *data, size_t server);
	/* After begun() for this server: its target has a new assessment. May be NULL. */
	void (*assessed)(void *data, size_t server);
	/* A signal came. Before the first begun() it ends the run without this. */
	void (*received)(void *data, int signal_number);
	const int *signals; /* NULL: SIGINT, SIGTERM and SIGHUP */
	size_t n_signals;
};

/* Usual for more_time. */
#define RUN_MORE_TIME (5 * USEC_PER_SEC)

/* Never NULL. Copies the options. Only a run of one server asks for a password on the terminal. */
struct run *run_open(struct app *app, const struct run_options *options);

/* Connects, runs the loop until run_finish(), calls free_mode(data of the options) and frees the
 * run. Returns the exit status. */
int run_to_end(struct run *run, void (*free_mode)(void *data));

/* The steps of run_to_end(), for the dashboard: it does not connect while it replays. */

/* Connects. */
void run_start(struct run *run);

/* Opens and connects the servers that were added to the app. */
void run_add_servers(struct run *run);

/* Runs the loop until run_finish(). */
void run_loop(struct run *run);

/* Frees targets and audit, which nobody may use any more. Returns the exit status. */
int run_close(struct run *run);

/* Ends the run with this exit status, when the current callback returns. */
void run_finish(struct run *run, int status);

/* The same for a signal: 128 and its number, as shells have it. */
void run_finish_by_signal(struct run *run, int signal_number);

size_t run_n_servers(const struct run *run);

/* Its target, and that target's latest assessment: after run_start() never NULL, and borrowed until
 * the next one. The name of the configuration is the assessment's server.name. */
struct target *run_server(const struct run *run, size_t server);
const struct assessment *run_assessment(const struct run *run, size_t server);

/* The first server's, for modes that work on one. */
struct target *run_target(const struct run *run);

struct audit *run_audit(const struct run *run);

/* For is_enough: the assessment is complete, or cannot become it because there is no connection.
 * Then the sockets are the only source, if there is any. */
bool run_is_complete(const struct run *run, size_t server);

#endif
