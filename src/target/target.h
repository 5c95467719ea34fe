/* One server: its connection, its sources, the latest assessment and the history. The program has
 * one target, but nothing here assumes that there is only one. */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "target/target_options.h"

struct assessment;
struct history;
struct session;
struct target;

/* Never NULL; the target does nothing before target_start(). */
struct target *target_new(uv_loop_t *loop, const struct target_options *options);

/* Connects, and refreshes regularly from then on. */
void target_start(struct target *target);

/* Shows an assessment from a recording, instead of target_start(): takes over the assessment, and
 * copies the history. */
void target_show(
	struct target *target, struct assessment *assessment, const struct history *history);

/* The handles close in the loop's next turns. NULL is allowed. */
void target_free(struct target *target);

/* Asks for locks with each refresh from now on, until target_ignore_locks(). `subject` is a
 * backend's pid; 0: all backends that block others. */
void target_watch_locks(struct target *target, int32_t subject);
void target_ignore_locks(struct target *target);

/* With await_proxy: true if the proxy's state is not known yet. */
bool target_awaits_proxy(const struct target *target);

/* Scans for the proxy every second while a screen shows it (`wanted`). */
void target_watch_proxy(struct target *target, bool wanted);

/* Scans for the proxy now, if a screen shows it. */
void target_refresh_proxy(struct target *target);

/* Asks now instead of at the next tick; used after an action. */
void target_refresh(struct target *target);

/* Scans sockets and processes now. */
void target_scan(struct target *target);

/* Scans sockets, processes and sessions again, and repeats that until all of them are of the same
 * moment, which is not before this call. An emergency relies on this. */
void target_assess_anew(struct target *target);

/* Whether a scan of sockets and processes is under way. */
bool target_is_scanning(const struct target *target);

/* A paused target keeps its assessment. It still asks the server: another monitor would report a
 * session that was idle for minutes as a leak. */
void target_pause(struct target *target, bool paused);

void target_set_interval(struct target *target, int64_t interval);

/* Never NULL once started: before the first answer it shows the state of the connection. Borrowed
 * until the next assessment. */
const struct assessment *target_assessment(const struct target *target);

const struct history *target_history(const struct target *target);
struct session *target_session(struct target *target);

#endif
