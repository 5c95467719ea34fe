/* The assessment's list of processes while the joins fill it: each process stands there once,
 * whichever way it was found. */
#ifndef ANALYZE_CLIENT_PROCESSES_H
#define ANALYZE_CLIENT_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "model/assessment.h"

struct client_processes;

/* An empty list, in the assessment's arena. `extra` is how many may be added that are neither in
 * its peers block nor in `previous`, which may be NULL. */
struct client_processes *client_processes_new(struct assessment *assessment,
	const struct assessment *previous, size_t extra) __attribute__((returns_nonnull));

/* Each returns an index into the assessment's processes. */

/* A process of the peers block, by its index there. */
uint32_t client_processes_use(struct client_processes *list, uint32_t peer);

/* One of the peers block by its identity, or NO_PROCESS. */
uint32_t client_processes_find(struct client_processes *list, int32_t pid, uint64_t start_ticks);

/* One that left its connections behind, alive or not: of the peers block when it is still there,
 * else a copy as one that ended. */
uint32_t client_processes_recall(
	struct client_processes *list, const struct client_process *before);

/* One that no socket told of; its strings must live as long as the assessment. */
uint32_t client_processes_add(
	struct client_processes *list, const struct process *process, bool alive);

#endif
