/* What a shutdown watch follows, and whom it notifies. */
#ifndef WATCH_WATCH_OPTIONS_H
#define WATCH_WATCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct watch_options {
	int32_t pid; /* the command, or the process to watch */
	uint64_t start_ticks;
	bool own;                   /* it is our child, and dbtop is the subreaper of its orphans */
	bool alone;                 /* the signal is for the process alone, not for its children */
	const char *container_file; /* it starts a container, whose id will be in this file; NULL */
	int signal_number;          /* the signal that will be sent; 0: the watch sends none */
	int64_t timeout, settle;    /* µs: see model/shutdown.h */
	void *data;
	/* The record has changed. */
	void (*changed)(void *data);
	/* Ends the preparation that watch_prepare() began: send the signal now. */
	void (*prepared)(void *data);
	/* All evidence is collected: the verdict is final. */
	void (*complete)(void *data);
};

#endif
