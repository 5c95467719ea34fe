/* The shutdown watch follows one application, its processes and its connections, until all of them
 * have ended or the timeout has passed. It fills in the record that analyze/shutdown judges.
 *
 * While armed, it asks the server only when a connection appears or goes, besides the target's
 * regular polls. */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "model/shutdown.h"
#include "watch/watch_options.h"

struct follow_sample;
struct target;
struct watch;

/* The options are copied. The target must outlive the watch. Never NULL. */
struct watch *watch_new(uv_loop_t *loop, struct target *target, const struct watch_options *options)
	__attribute__((returns_nonnull));

/* No callback runs after this; the handles close in the loop's next turns. NULL is allowed. */
void watch_free(struct watch *watch);

/* Reads a sample of the processes and their sockets, and does everything that follows from it; the
 * watch takes samples itself. */
void watch_read_sample(struct watch *watch, const struct follow_sample *sample);

/* The target has a new assessment. */
void watch_assessed(struct watch *watch);

/* The number of connections that the application holds now. */
int watch_count(const struct watch *watch);

/* Scans everything once more, so that connections opened after the signal can be distinguished from
 * earlier ones; then calls prepared(). */
void watch_prepare(struct watch *watch);

/* The signal was sent. */
void watch_signalled(struct watch *watch);

/* Its time is up without any sign of an end: it was to end within the timeout from `since`. */
void watch_expire(struct watch *watch, int64_t since);

/* The caller has waited for a child (wait(2)). */
void watch_reaped(struct watch *watch, int32_t pid, int status);

/* Borrowed; the record changes while the watch runs. */
struct shutdown_record *watch_record(struct watch *watch);

/* True when the verdict is final. */
bool watch_is_complete(const struct watch *watch);

/* The pidfd of a process of the record; −1 when the process has ended. Borrowed. */
int watch_process_fd(const struct watch *watch, const struct shutdown_process *process);

#endif
