/* The dbtop of one other machine, at the other end of a pipe: `ssh HOST dbtop --peers`, or another
 * command. When it ends, it is started again after a pause. */
#ifndef COLLECT_HOST_AGENT_H
#define COLLECT_HOST_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/host_ends.h"

struct host_agent;

struct host_agent_options {
	const char *name;                 /* as ssh takes it: [USER@]HOST, an alias, a URI */
	const char *const *command;       /* argv; NULL: ssh */
	const struct endpoint *addresses; /* those that it speaks for; none: those of its name */
	size_t n_addresses;
	int64_t start_timeout; /* µs until its first line; 0: HOST_AGENT_START_TIMEOUT */
};

/* The look-up of its name; then ssh connects, authenticates, and starts a program. */
#define HOST_AGENT_START_TIMEOUT INT64_C(30000000)

struct host_agent_callbacks {
	void *data;
	/* It has said hello and can be asked, or it has failed. */
	void (*changed)(void *data, struct host_agent *agent);
	/* A line came from it after its hello. */
	void (*line)(void *data, struct host_agent *agent, const char *line, size_t length);
};

/* Begins to start it in the loop's next turn. The options are copied. Never NULL. */
struct host_agent *host_agent_new(uv_loop_t *loop, const struct host_agent_options *options,
	const struct host_agent_callbacks *callbacks) __attribute__((returns_nonnull));
/* Ends it. NULL is allowed. */
void host_agent_free(struct host_agent *agent);

/* Ends it, and starts it again later. `error` says why, in one clean line. Calls changed(). */
void host_agent_fail(struct host_agent *agent, const char *error);

/* It has answered as it should: the next failure is the first one. */
void host_agent_praise(struct host_agent *agent);

/* Sends a line without its end, which is freed. It must be up. */
void host_agent_write(struct host_agent *agent, char *line);

/* It has said hello, and has not failed since. */
bool host_agent_is_up(const struct host_agent *agent);

/* It has failed before; host_agent_error() says how, the last time, unless it is up. */
bool host_agent_has_failed(const struct host_agent *agent);
const char *host_agent_error(const struct host_agent *agent);

const char *host_agent_name(const struct host_agent *agent);
/* "host NAME" */
const char *host_agent_source(const struct host_agent *agent);

/* Differs between any two runs of it, and any two boots of its machine. */
uint64_t host_agent_run(const struct host_agent *agent);

/* It is started by a command of its own instead of ssh. */
bool host_agent_has_command(const struct host_agent *agent);

/* It is of a version that sends stats pages; it must be up. */
bool host_agent_sends_pages(const struct host_agent *agent);

/* The addresses that it speaks for. */
const struct endpoint *host_agent_addresses(const struct host_agent *agent, size_t *ret_count);

#endif
