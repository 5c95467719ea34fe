/* The dbtops of other machines, each at the other end of a pipe: `ssh HOST dbtop --peers`, or
 * another command. They are started once, whatever the number of servers; each server (target) asks
 * through an asker of its own. */
#ifndef COLLECT_HOST_AGENTS_H
#define COLLECT_HOST_AGENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "collect/host_agent.h"
#include "model/assessment.h"

struct host_agents;
struct host_asker;

/* Begins to start the agents. The options are copied. Never NULL. */
struct host_agents *host_agents_new(uv_loop_t *loop, const struct host_agent_options *options,
	size_t count) __attribute__((returns_nonnull));

/* Ends the agents. There must be no asker any more. NULL is allowed. */
void host_agents_free(struct host_agents *agents);

size_t host_agents_count(const struct host_agents *agents);

/* An agent that does not answer for this long (µs) is ended and started again. */
#define HOST_AGENTS_TIMEOUT INT64_C(10000000)
void host_agents_set_timeout(struct host_agents *agents, int64_t timeout);

struct host_asker_callbacks {
	void *data;
	/* A host has answered, or its state has changed. Not `is_news`: the answer says that all is
	 * as before. */
	void (*changed)(void *data, bool is_news);
};

/* Never NULL, but useless when there are too many askers: then no host can be asked. */
struct host_asker *host_asker_new(struct host_agents *agents,
	const struct host_asker_callbacks *callbacks) __attribute__((returns_nonnull));
/* Free all askers and the agents in one turn of the loop: an answer that arrived after its asker
 * was freed would count as one that was not asked for. NULL is allowed. */
void host_asker_free(struct host_asker *asker);

/* What a host is asked. */
struct host_request {
	uint16_t port, server_port; /* as in struct peers_target */
	struct endpoint own;        /* our own client end as the server sees it */
	const struct asked_end *ends;
	size_t n_ends;
};

/* Asks the host unless it is not connected, or owes an answer; then nothing happens, and false is
 * returned. */
bool host_asker_ask(struct host_asker *asker, size_t host, const struct host_request *request);

/* The latest block; borrowed. NULL before the first answer. */
const struct host_ends *host_asker_latest(const struct host_asker *asker, size_t host);

/* Its agent runs, or is being started for the first time. */
bool host_asker_is_up(const struct host_asker *asker, size_t host);

/* "host NAME"; borrowed until the loop's next turn. An answer is overdue after stale_after. */
struct source_state host_asker_source(
	const struct host_asker *asker, size_t host, int64_t stale_after);

#endif
