/* One sentence for each state of a server except OK. */
#include "view/trouble.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"

/* before, after: the sentence around host:port when no rows are shown. cause: a few words when rows
 * are shown. */
static const struct {
	const char *before, *after;
	const char *cause;
	const char *hint; /* used unless the session has a better one */
} troubles[] = {
	[SERVER_CONNECTING] = { "Connecting to ", " …", "connection lost", NULL },
	[SERVER_OK] = { "Waiting for the first answer of ", " …", NULL, NULL },
	[SERVER_FULL] = { "The server is full: ", " has no slot left for us", "server full",
		"connect as a superuser: a few slots are reserved for them" },
	[SERVER_ROLE_LIMIT] = { "dbtop's role has reached its connection limit at ", "",
		"role's limit reached", NULL },
	[SERVER_DATABASE_LIMIT] = { "The database has reached its connection limit at ", "",
		"database's limit reached", NULL },
	[SERVER_REFUSED] = { "Nobody answers at ", "", "no answer",
		"is it running, and is this the right place (-h and -p)?" },
	[SERVER_DENIED] = { "The server at ", " does not let us in", "not let in",
		"check -U and -d; a password comes from PGPASSWORD, ~/.pgpass or -W" },
	[SERVER_STALE] = { "Waiting for the first answer of ", " …", NULL, NULL },
};

int64_t trouble_age(const struct assessment *assessment, int64_t now)
{
	return instant_elapsed(assessment->sources[SOURCE_ACTIVITY].taken_at, now);
}

bool trouble_is_stale(const struct assessment *assessment)
{
	return assessment->activity &&
		(assessment->server.status != SERVER_OK ||
			assessment->sources[SOURCE_ACTIVITY].status == SOURCE_STALE ||
			assessment->sources[SOURCE_ACTIVITY].status == SOURCE_FAILED);
}

static void describe_stale(
	const struct assessment *assessment, int64_t now, struct trouble *ret_trouble)
{
	const struct server_state *server = &assessment->server;
	char age[DURATION_TEXT_MAX];
	duration_format(trouble_age(assessment, now), age);
	const char *cause = troubles[server->status].cause;
	if (cause)
		snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX, "data %s old: reconnecting (%s)",
			age, cause);
	else if (server->status == SERVER_OK)
		snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX,
			"data %s old: the server refuses the statement", age);
	else
		snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX,
			"data %s old: waiting for the server's answer", age);
}

static void describe_empty(const struct assessment *assessment, struct trouble *ret_trouble)
{
	const struct server_state *server = &assessment->server;
	char place[128] = "the server";
	if (server->host)
		snprintf(place, sizeof(place), "%s:%d", server->host, server->port);
	if (server->status == SERVER_OK &&
		assessment->sources[SOURCE_ACTIVITY].status == SOURCE_FAILED) {
		snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX,
			"%s does not show its sessions to us", place);
		return;
	}
	snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX, "%s%s%s", troubles[server->status].before,
		place, troubles[server->status].after);
}

static void describe_retry(
	const struct server_state *server, int64_t now, struct trouble *ret_trouble)
{
	if (server->retry_at == INSTANT_UNKNOWN)
		return;
	int64_t seconds =
		(instant_elapsed(now, server->retry_at) + USEC_PER_SEC - 1) / USEC_PER_SEC;
	if (seconds > 0)
		snprintf(ret_trouble->retry, TROUBLE_TEXT_MAX, "trying again in %lds",
			(long)seconds);
	else
		snprintf(ret_trouble->retry, TROUBLE_TEXT_MAX, "trying again");
}

/* The server answers, but not all that is asked; or the kernel does not say which process holds
 * each connection. */
static bool describe_lack(const struct assessment *assessment, struct trouble *ret_trouble)
{
	const struct source_state *peers = &assessment->sources[SOURCE_PEERS];
	const struct source_state *activity = &assessment->sources[SOURCE_ACTIVITY];
	if (activity->status == SOURCE_OK && activity->error) {
		snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX,
			"the server answers only a part of the statement");
		ret_trouble->error = activity->error;
		return true;
	}
	if (peers->status != SOURCE_FAILED)
		return false;
	snprintf(ret_trouble->summary, TROUBLE_TEXT_MAX,
		"the connections' processes cannot be looked for");
	ret_trouble->error = peers->error;
	return true;
}

bool trouble_get(const struct assessment *assessment, int64_t now, struct trouble *ret_trouble)
{
	struct trouble trouble = { 0 };
	const struct server_state *server = &assessment->server;
	if (assessment->activity && !trouble_is_stale(assessment)) {
		if (!describe_lack(assessment, &trouble))
			return false;
		*ret_trouble = trouble;
		return true;
	}
	trouble.error = server->error;
	if (server->status == SERVER_OK)
		trouble.error = assessment->sources[SOURCE_ACTIVITY].error;
	trouble.hint = server->hint ? server->hint : troubles[server->status].hint;
	if (assessment->activity)
		describe_stale(assessment, now, &trouble);
	else
		describe_empty(assessment, &trouble);
	describe_retry(server, now, &trouble);
	*ret_trouble = trouble;
	return true;
}
