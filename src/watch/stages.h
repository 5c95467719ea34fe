/* The stages of a shutdown watch. */
#ifndef WATCH_STAGES_H
#define WATCH_STAGES_H

#include <stdint.h>

struct watch;

void stages_notify_changed(struct watch *watch);

/* Begins the preparation: asks for what must be known before the signal. */
void stages_prepare(struct watch *watch);

/* Ends the preparation if all that it waits for has arrived. */
void stages_end_preparing(struct watch *watch);

/* Begins the shutdown: at the first sign of an end, or at the signal itself (trigger: NULL). */
void stages_begin(struct watch *watch, int64_t at, const char *trigger);

/* Begins the shutdown at a sign that is seen late. If connections closed before it, and after both
 * `since` and the last opening of a connection, the shutdown began when the first of them closed.
 */
void stages_begin_by(struct watch *watch, int64_t since, int64_t trigger_at, const char *trigger);

/* Begins the shutdown if the command has ended, and the last questions if the shutdown is over. */
void stages_advance(struct watch *watch, int64_t now);

/* The server has answered all questions of a stage. data: the watch. */
void stages_answered(void *data);

#endif
