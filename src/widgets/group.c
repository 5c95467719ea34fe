/* Groups by process; connections whose process is not known get other groups. */
#include "widgets/group.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "model/assessment.h"

static struct identity make(enum group_kind kind, uint64_t key)
{
	return (struct identity){ .kind = IDENTITY_GROUP, .a = kind, .b = key };
}

struct identity group_of_process(const struct assessment *assessment, uint32_t process)
{
	const struct process *found = &assessment->processes[process].process;
	uint64_t key = found->start_ticks << 22 ^ (uint64_t)found->pid;
	return make(GROUP_PROCESS, found->host ? map_mix(key, identity_hash(found->host)) : key);
}

/* A key of the address without its port. */
static uint64_t address_key(const struct connection *connection)
{
	struct endpoint address = connection->bouncer_client ? connection->bouncer_client->remote
							     : connection->backend->client;
	address.port = 0;
	return endpoint_key(&address);
}

static enum group_kind without_process(const struct connection *connection)
{
	if (connection->backend->kind == BACKEND_HIDDEN)
		return GROUP_HIDDEN;
	if (connection->proxied)
		return GROUP_PROXIED;
	switch (connection->end) {
	case CLIENT_END_ELSEWHERE: return GROUP_ADDRESS;
	case CLIENT_END_NOT_VISIBLE: return GROUP_NOT_VISIBLE;
	case CLIENT_END_GONE: return GROUP_GONE;
	default: return GROUP_LOOKING;
	}
}

static enum group_kind by_process(const struct assessment *assessment,
	const struct connection *connection, struct identity *ret_identity)
{
	if (connection->process != NO_PROCESS) {
		*ret_identity = group_of_process(assessment, connection->process);
		return GROUP_PROCESS;
	}
	enum group_kind kind = without_process(connection);
	*ret_identity = make(kind, kind == GROUP_ADDRESS ? address_key(connection) : 0);
	return kind;
}

static enum group_kind by_host(const struct assessment *assessment,
	const struct connection *connection, struct identity *ret_identity)
{
	if (connection->process == NO_PROCESS)
		return by_process(assessment, connection, ret_identity);
	*ret_identity = make(
		GROUP_HOST, identity_hash(assessment->processes[connection->process].process.host));
	return GROUP_HOST;
}

static enum group_kind by_client(const struct connection *connection, struct identity *ret_identity)
{
	bool hidden = connection->backend->kind == BACKEND_HIDDEN;
	enum group_kind kind = hidden ? GROUP_HIDDEN : GROUP_CLIENT;
	*ret_identity = make(kind, hidden ? 0 : address_key(connection));
	return kind;
}

bool group_has_hosts(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_processes; i++)
		if (assessment->processes[i].process.host)
			return true;
	return false;
}

/* PgBouncer has no identity that lasts: its pool is found again by its name and by that of its
 * PgBouncer. */
static enum group_kind by_pool(const struct connection *connection, struct identity *ret_identity)
{
	const struct pool *pool = connection->pool;
	if (!pool) {
		/* It is not known whether a hidden session belongs to a pool. */
		bool hidden = connection->backend->kind == BACKEND_HIDDEN;
		enum group_kind kind = hidden ? GROUP_HIDDEN : GROUP_NO_POOL;
		*ret_identity = make(kind, 0);
		return kind;
	}
	uint64_t key = pool->page ? map_mix(pool->page->start_ticks, (uint64_t)pool->page->pid)
				  : map_mix(identity_hash(pool->console->name), 0);
	*ret_identity = make(GROUP_POOL, map_mix(key, identity_hash(pool->name)));
	return GROUP_POOL;
}

/* The slots of a pool of libdbpool are one application. */
static uint64_t application_key(const char *application_name)
{
	char name[128];
	if (!application_name)
		return identity_hash(NULL);
	snprintf(name, sizeof(name), "%.*s", (int)pool_application_length(application_name),
		application_name);
	return identity_hash(name);
}

/* A connection without a known process is grouped as by processes. */
static enum group_kind by_container(const struct assessment *assessment,
	const struct connection *connection, struct identity *ret_identity)
{
	if (connection->process == NO_PROCESS)
		return by_process(assessment, connection, ret_identity);
	const struct process *process = &assessment->processes[connection->process].process;
	enum group_kind kind = process->container ? GROUP_CONTAINER : GROUP_NO_CONTAINER;
	const char *id = process->container_id ? process->container_id : process->container;
	*ret_identity =
		make(kind, id ? map_mix(identity_hash(id), identity_hash(process->host)) : 0);
	return kind;
}

static bool has_containers(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct client_process *process =
			assessment_process(assessment, &assessment->connections[i]);
		if (process && process->process.container)
			return true;
	}
	return false;
}

bool group_is_useful(const struct assessment *assessment, enum grouping grouping)
{
	if (grouping == GROUPING_HOST)
		return group_has_hosts(assessment);
	return grouping != GROUPING_CONTAINER || has_containers(assessment);
}

enum group_kind group_of(const struct assessment *assessment, const struct connection *connection,
	enum grouping grouping, struct identity *ret_identity)
{
	const struct backend *backend = connection->backend;
	switch (grouping) {
	case GROUPING_PROCESS: return by_process(assessment, connection, ret_identity);
	case GROUPING_APPLICATION:
		*ret_identity = make(GROUP_APPLICATION, application_key(backend->application_name));
		return GROUP_APPLICATION;
	case GROUPING_USER:
		*ret_identity = make(GROUP_USER, identity_hash(backend->user));
		return GROUP_USER;
	case GROUPING_CLIENT: return by_client(connection, ret_identity);
	case GROUPING_HOST: return by_host(assessment, connection, ret_identity);
	case GROUPING_CONTAINER: return by_container(assessment, connection, ret_identity);
	case GROUPING_DATABASE:
		*ret_identity = make(GROUP_DATABASE, identity_hash(backend->database));
		return GROUP_DATABASE;
	case GROUPING_POOL: return by_pool(connection, ret_identity);
	default: *ret_identity = make(GROUP_FLAT, 0); return GROUP_FLAT;
	}
}

bool group_is_last(enum group_kind kind)
{
	return kind >= GROUP_LOOKING;
}
