/* One server: its connection, its sources, the latest assessment and the history. The program holds
 * one; nothing here assumes that there is only one. */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct assessment;
struct config_proxy;
struct history;
struct params;
struct rules;
struct session;
struct target;

struct target_options {
	const struct params *params;   /* copied */
	const struct rules *rules;     /* must outlive the target */
	const struct params *consoles; /* PgBouncers' admin consoles; copied */
	size_t n_consoles;
	const char *pages; /* folder of stats pages; NULL or "": wherever they may be; copied */
	int64_t interval;  /* µs */
	bool no_query_text;
	const struct config_proxy
		*proxy;   /* what is known of a local proxy; must outlive the target */
	bool await_proxy; /* the picture is not settled before it is known how that stands */
	bool hurry;       /* ask again at once until the picture is settled: the headless modes */
	bool calm;        /* look at sockets and processes only when target_look() asks for it */
	void *data;
	void (*assessed)(void *data); /* target_assessment() is new */
};

/* Never NULL; it does nothing before target_start(). */
struct target *target_new(uv_loop_t *loop, const struct target_options *options);

/* Connects, and refreshes from then on. */
void target_start(struct target *target);

/* Shows a picture from a recording, in the place of target_start(): takes over the assessment, and
 * copies the history. */
void target_show(
	struct target *target, struct assessment *assessment, const struct history *history);

/* The handles close in the loop's next turns. NULL is allowed. */
void target_free(struct target *target);

/* Whose locks a page shows: `subject` is a backend's pid, 0 for all that block somebody. Asked with
 * each refresh from now on, until target_ignore_locks(). */
void target_watch_locks(struct target *target, int32_t subject);
void target_ignore_locks(struct target *target);

/* With await_proxy: whether it is still to come how the proxy stands. */
bool target_awaits_proxy(const struct target *target);

/* Looks at the proxy every second, as long as a page shows it. */
void target_watch_proxy(struct target *target, bool wanted);

/* Asks now instead of at the next tick: after an action. */
void target_refresh(struct target *target);

/* Looks at sockets and processes now. */
void target_look(struct target *target);

/* Looks afresh at sockets, processes and sessions, and again until all of them tell of the same
 * moment, which begins now: what an emergency relies on. */
void target_survey(struct target *target);

/* A paused target keeps its picture. It goes on asking: a monitor that sat idle for minutes would
 * be called a leak by the next one. */
void target_pause(struct target *target, bool paused);

void target_set_interval(struct target *target, int64_t interval);

/* Never NULL once started: before the first answer it says how the connection stands. Borrowed
 * until the next one. */
const struct assessment *target_assessment(const struct target *target);

const struct history *target_history(const struct target *target);
struct session *target_session(struct target *target);

#endif
