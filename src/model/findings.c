/* Counts what was seen, and what was not. */
#include "model/findings.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "base/text.h"
#include "model/assessment.h"
#include "model/host_ends.h"
#include "model/peers.h"
#include "model/rights.h"

static bool is_leaked(const struct connection *connection)
{
	return connection->in_scope && connection->verdict.status == STATUS_LEAKED;
}

/* A session of a managed service's own role is hidden from every customer. */
static bool is_hidden(const struct connection *connection)
{
	return connection->in_scope && connection->backend->kind == BACKEND_HIDDEN &&
		connection->verdict.protection != PROTECTION_SYSTEM;
}

/* Whether nobody here can see if its client is gone. */
static bool is_end_unseen(const struct connection *connection)
{
	return connection->end == CLIENT_END_UNKNOWN || connection->end == CLIENT_END_ELSEWHERE ||
		connection->end == CLIENT_END_NOT_VISIBLE;
}

/* Less sure than asked for, and nobody here can see its client; or perhaps protected. */
static bool is_unsettled(const struct connection *connection, enum certainty least)
{
	if (!is_leaked(connection))
		return false;
	if (connection->unsettled && connection->verdict.certainty >= least)
		return true;
	return connection->verdict.certainty < least && is_end_unseen(connection);
}

static size_t count_hidden(const struct assessment *assessment)
{
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		count += is_hidden(&assessment->connections[i]);
	return count;
}

static size_t count_unsettled(const struct assessment *assessment, enum certainty least)
{
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		count += is_unsettled(&assessment->connections[i], least);
	return count;
}

/* Leaks that may be protected, as far as could be read. */
static size_t count_perhaps_protected(const struct assessment *assessment, enum certainty least)
{
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		count += is_unsettled(&assessment->connections[i], least) &&
			assessment->connections[i].unsettled;
	return count;
}

size_t findings_count_leaked(const struct assessment *assessment, enum certainty least)
{
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		count += is_leaked(&assessment->connections[i]) &&
			!assessment->connections[i].unsettled &&
			assessment->connections[i].verdict.certainty >= least;
	return count;
}

size_t findings_count_by_age(const struct assessment *assessment)
{
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		enum status status = connection->verdict.status;
		count += connection->in_scope && is_end_unseen(connection) &&
			connection->verdict.protection == PROTECTION_NONE &&
			status != STATUS_ACTIVE && status != STATUS_UNKNOWN;
	}
	return count;
}

/* What an emergency may stop, if it is found. */
static bool may_be_stopped(enum protection protection)
{
	return protection != PROTECTION_OWN && protection != PROTECTION_SYSTEM &&
		protection != PROTECTION_APPLICATION && protection != PROTECTION_USER;
}

/* Its process is not seen, or is on another machine. */
static bool is_out_of_reach(
	const struct assessment *assessment, const struct connection *connection)
{
	return connection->owner == NO_PROCESS
		? connection->process == NO_PROCESS
		: assessment->processes[connection->owner].process.host != NULL;
}

static bool is_unreached(const struct assessment *assessment, const struct connection *connection)
{
	return connection->in_scope && connection->backend->kind == BACKEND_CLIENT &&
		is_out_of_reach(assessment, connection) && connection->end != CLIENT_END_GONE &&
		may_be_stopped(connection->verdict.protection);
}

size_t findings_count_without_process(const struct assessment *assessment)
{
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		count += is_unreached(assessment, &assessment->connections[i]);
	return count;
}

enum room findings_room(const struct assessment *assessment, int min_free)
{
	const struct slots *slots = &assessment->slots;
	if (min_free <= 0)
		return ROOM_ENOUGH;
	if (slots->free >= 0)
		return slots->free < min_free ? ROOM_TOO_LITTLE : ROOM_ENOUGH;
	return slots->free_at_least >= min_free ? ROOM_ENOUGH : ROOM_UNKNOWN;
}

bool findings_has_no_rows(const struct assessment *assessment)
{
	return assessment->server.status != SERVER_OK || !assessment->activity ||
		assessment->sources[SOURCE_ACTIVITY].status != SOURCE_OK;
}

enum blindness findings_blindness(const struct assessment *assessment, enum certainty least)
{
	if (assessment->server.status != SERVER_OK)
		return BLIND_CONNECTION;
	if (findings_has_no_rows(assessment))
		return BLIND_POLL;
	if (count_hidden(assessment) > 0)
		return BLIND_HIDDEN;
	return count_unsettled(assessment, least) > 0 ? BLIND_UNSETTLED : BLIND_NOT;
}

static void describe_connection(
	const struct assessment *assessment, char text[static FINDINGS_TEXT_MAX])
{
	const struct server_state *server = &assessment->server;
	const char *error = server->error ? server->error : "no answer yet";
	if (server->status == SERVER_STALE)
		snprintf(text, FINDINGS_TEXT_MAX, "the server's answer is overdue");
	else
		snprintf(text, FINDINGS_TEXT_MAX, "not connected: %s", error);
}

static void describe_hidden(
	const struct assessment *assessment, char text[static FINDINGS_TEXT_MAX])
{
	struct rights rights;
	size_t n = count_hidden(assessment);
	rights_get(assessment, &rights);
	snprintf(text, FINDINGS_TEXT_MAX, "%zu session%s hidden from this role%s%s", n,
		n == 1 ? " is" : "s are", rights.see_grant[0] ? "; to see them: " : "",
		rights.see_grant);
}

static void describe_perhaps_protected(
	const struct assessment *assessment, size_t n, char text[static FINDINGS_TEXT_MAX])
{
	const char *lacks = assessment->sources[SOURCE_ACTIVITY].error;
	bool no_locks = !assessment->activity->locks_known;
	snprintf(text, FINDINGS_TEXT_MAX,
		"%zu session%s leaked by age, and may be protected: %s%s%s", n,
		n == 1 ? " is" : "s are",
		no_locks ? "advisory locks could not be read"
			 : "the stats page of the pool cannot be seen from here",
		no_locks && lacks ? ": " : "", no_locks && lacks ? lacks : "");
}

char *findings_describe_blindness(const struct assessment *assessment, enum certainty least,
	char text[static FINDINGS_TEXT_MAX])
{
	const char *error = assessment->sources[SOURCE_ACTIVITY].error;
	size_t n;
	text[0] = '\0';
	switch (findings_blindness(assessment, least)) {
	case BLIND_NOT: break;
	case BLIND_CONNECTION: describe_connection(assessment, text); break;
	case BLIND_POLL:
		snprintf(text, FINDINGS_TEXT_MAX, "the last poll failed: %s",
			error ? error : "no answer yet");
		break;
	case BLIND_HIDDEN: describe_hidden(assessment, text); break;
	case BLIND_UNSETTLED:
		n = count_perhaps_protected(assessment, least);
		if (n > 0) {
			describe_perhaps_protected(assessment, n, text);
			break;
		}
		n = count_unsettled(assessment, least);
		snprintf(text, FINDINGS_TEXT_MAX,
			"%zu session%s leaked by age alone, and nobody here can see whether the "
			"client%s gone",
			n, n == 1 ? " is" : "s are", n == 1 ? " is" : "s are");
		break;
	}
	return text;
}

static bool is_known_elsewhere(const char *host)
{
	struct endpoint address;
	if (!host || strchr("/@", *host) || strcmp(host, "localhost") == 0)
		return false;
	return !endpoint_parse(host, &address) || !endpoint_is_loopback(&address);
}

/* The server's end of the connection, by this machine's sockets; NULL if it is not among them. */
static const struct endpoint *find_server_end(
	const struct assessment *assessment, const struct endpoint *client)
{
	const struct peers *peers = assessment->peers;
	for (size_t i = 0; peers && i < peers->n_tcp; i++)
		if (endpoint_equal(&peers->tcp[i].remote, client))
			return &peers->tcp[i].local;
	return NULL;
}

/* Appends an option of the command that ssh gives to a shell over there. */
static const char *add_option(
	struct arena *arena, const char *command, const char *option, const char *value)
{
	if (!value || !*value)
		return command;
	return arena_printf(arena, "%s %s %s", command, option, text_shell_word(arena, value));
}

static bool is_reached_by_ssh(const struct assessment *assessment, const char *name)
{
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		const struct host_ends *latest = assessment->hosts[i].latest;
		if (latest && latest->by_command && strcmp(latest->name, name) == 0)
			return false;
	}
	return true;
}

const char *findings_host_command(const struct assessment *assessment, struct arena *arena,
	const char *name, const struct endpoint *client)
{
	const struct server_state *server = &assessment->server;
	const struct endpoint *end = find_server_end(assessment, client);
	const char *command = "dbtop", *host = NULL;
	char address[ENDPOINT_TEXT_MAX];
	int port = server->port;
	if (is_known_elsewhere(server->host)) {
		host = server->host;
	} else if (end && !endpoint_is_loopback(end)) {
		host = endpoint_address(end, address);
		port = end->port;
	}
	if (host) {
		command = add_option(arena, command, "-h", host);
		command = arena_printf(arena, "%s -p %d", command, port);
	}
	command = add_option(arena, command, "-U", server->user);
	command = add_option(arena, command, "-d", server->database);
	command = arena_printf(arena, "%s --emergency", command);
	if (!is_reached_by_ssh(assessment, name))
		return arena_printf(arena, "on %s: %s", name, command);
	return arena_printf(arena, "ssh -t %s %s", text_shell_word(arena, name),
		strchr(command, '\'') ? text_shell_word(arena, command) : command);
}

static int compare_hosts(const void *left, const void *right)
{
	const struct findings_host *a = left, *b = right;
	if (a->sessions != b->sessions)
		return a->sessions > b->sessions ? -1 : 1;
	return strcmp(a->name, b->name);
}

struct findings_host *findings_list_hosts(
	const struct assessment *assessment, struct arena *arena, size_t *ret_count)
{
	struct findings_host *hosts = arena_array(arena, assessment->n_hosts, sizeof(*hosts));
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->owner == NO_PROCESS || !is_unreached(assessment, connection))
			continue;
		const char *name = assessment->processes[connection->owner].process.host;
		size_t at = 0;
		while (at < count && strcmp(hosts[at].name, name) != 0)
			at++;
		if (at == count && count == assessment->n_hosts)
			continue;
		if (at == count)
			hosts[count++] = (struct findings_host){ .name = arena_strdup(arena, name),
				.command = findings_host_command(
					assessment, arena, name, &connection->backend->client) };
		hosts[at].sessions++;
	}
	qsort(hosts, count, sizeof(*hosts), compare_hosts);
	*ret_count = count;
	return hosts;
}

/* Room for what is said of the hosts that are not named. */
#define MORE_HOSTS_MAX 32

/* ": ssh -t a dbtop -U app --emergency; ssh -t b dbtop -U app --emergency", as far as it fits. */
static void add_hosts(
	const struct findings_host *hosts, size_t n_hosts, char text[static FINDINGS_TEXT_MAX])
{
	size_t at = strlen(text);
	for (size_t i = 0; i < n_hosts; i++) {
		size_t left = FINDINGS_TEXT_MAX - at;
		int length = snprintf(text + at, left, "%s%s", i ? "; " : ": ", hosts[i].command);
		if ((size_t)length + MORE_HOSTS_MAX >= left) {
			snprintf(text + at, left, "%sand on %zu more host%s", i ? "; " : ", ",
				n_hosts - i, plural_s((int64_t)(n_hosts - i)));
			return;
		}
		at += (size_t)length;
	}
}

/* Whether all of them are this machine's. */
static bool are_other_users(const struct assessment *assessment)
{
	bool all = true;
	for (size_t i = 0; i < assessment->n_connections; i++)
		all &= !is_unreached(assessment, &assessment->connections[i]) ||
			assessment->connections[i].end == CLIENT_END_NOT_VISIBLE;
	return all;
}

char *findings_describe_unreached(
	const struct assessment *assessment, char text[static FINDINGS_TEXT_MAX])
{
	size_t n = findings_count_without_process(assessment);
	if (findings_has_no_rows(assessment) || n == 0)
		return findings_describe_blindness(assessment, CERTAINTY_NONE, text);
	struct arena *arena = arena_new();
	size_t n_hosts;
	const struct findings_host *hosts = findings_list_hosts(assessment, arena, &n_hosts);
	snprintf(text, FINDINGS_TEXT_MAX, "%zu session%s to processes %s", n,
		n == 1 ? " belongs" : "s belong",
		n_hosts ? "that cannot be stopped from here: run dbtop where they run, as their "
			  "user or as root"
			: are_other_users(assessment)
			? "of another user, which dbtop may not see: run it as that user or as root"
			: "that cannot be seen from here: run dbtop where they run, as their user "
			  "or as root");
	add_hosts(hosts, n_hosts, text);
	arena_free(arena);
	return text;
}
