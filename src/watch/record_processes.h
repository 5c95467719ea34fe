/* What a sample shows of the application's processes, in the record. */
#ifndef WATCH_RECORD_PROCESSES_H
#define WATCH_RECORD_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

struct follow_sample;
struct shutdown_record;

/* A signal that the command has not taken yet. */
struct pending_signal {
	int number; /* 0: none */
	bool fatal; /* the command does not handle it, or not any more: it dies by it */
};

/* Adds new processes at the end of the list, and notes how each handles the signal, when it took it
 * and when it ended. Returns a pending signal that may be the beginning of the shutdown. This is
 * seldom seen: a process takes a signal within microseconds, unless it is stopped or busy in the
 * kernel. */
struct pending_signal record_processes(
	struct shutdown_record *record, const struct follow_sample *sample);

/* The process with this pid has ended. */
void record_process_ended(struct shutdown_record *record, int32_t pid, int64_t at);

/* The process with this pid was waited for. */
void record_process_reaped(struct shutdown_record *record, int32_t pid, int status);

/* Removes the processes that had ended before `since`, except the command. */
void record_forget_processes(struct shutdown_record *record, int64_t since);

#endif
