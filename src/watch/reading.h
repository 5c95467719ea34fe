/* What a sample or an assessment shows becomes part of the watch's record. */
#ifndef WATCH_READING_H
#define WATCH_READING_H

#include "watch/record_processes.h"

struct follow_sample;
struct watch;

/* Returns the signal that a process of the application has not handled yet. */
struct pending_signal reading_processes(struct watch *watch, const struct follow_sample *sample);

void reading_sockets(struct watch *watch, const struct follow_sample *sample);

/* From the target's latest assessment. */
void reading_sessions(struct watch *watch);

/* Before the shutdown: what is over is forgotten. */
void reading_forget_past(struct watch *watch);

#endif
