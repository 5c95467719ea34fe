/* The assessment's list of processes while the joins fill it. Each process is in it once, however
 * it was found. */
#ifndef ANALYZE_CLIENT_PROCESSES_H
#define ANALYZE_CLIENT_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "model/assessment.h"

struct client_processes;

/* Makes an empty list in the assessment's arena, with room for as many as `previous` has, which may
 * be NULL. */
struct client_processes *client_processes_new(struct assessment *assessment,
	const struct assessment *previous) __attribute__((returns_nonnull));

/* Each function returns an index into the assessment's processes. It may move the list: pointers to
 * its elements are not valid any more. */

/* Adds a process of the peers block by its index there. */
uint32_t client_processes_use(struct client_processes *list, uint32_t peer);

/* Adds a process of the peers block by its identity; NO_PROCESS if it is not there. */
uint32_t client_processes_find(struct client_processes *list, int32_t pid, uint64_t start_ticks);

/* Adds a process that held a connection earlier. It is taken from the peers block if it is still
 * there; else it is copied as one that ended. One of another machine is copied as it was. */
uint32_t client_processes_recall(
	struct client_processes *list, const struct client_process *before);

/* Adds a process without a known socket; its strings must live as long as the assessment. */
uint32_t client_processes_add(
	struct client_processes *list, const struct process *process, bool alive);

#endif
