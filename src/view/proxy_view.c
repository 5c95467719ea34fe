/* Describes the proxy in words. */
#include "view/proxy_view.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "widgets/dialog.h"
#include "widgets/facts.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/ui.h"

#define MOST_CLIENTS 16

static const struct {
	const char *sign;
	enum style style;
	const char *meaning;
} statuses[] = {
	[PROXY_UNKNOWN] = { "?", STYLE_CAUTION, "it is not known who listens on its port" },
	[PROXY_ABSENT] = { "✗", STYLE_LEAKED, "nobody listens on its port" },
	[PROXY_FOREIGN] = { "✗", STYLE_LEAKED, "another program listens on its port" },
	[PROXY_LISTENING] = { "○", STYLE_CAUTION,
		"it listens; that the server answers through it is not proven" },
	[PROXY_SERVING] = { "●", STYLE_GOOD, "the server answers through it" },
};

void proxy_view_item(const struct assessment *assessment, struct line *line)
{
	const struct proxy *proxy = assessment->proxy;
	if (!proxy_is_shown(proxy))
		return;
	enum style style = statuses[proxy->status].style;
	line_add(line, STYLE_DIM, "proxy ");
	line_add(line, style, statuses[proxy->status].sign);
	line_printf(line, style, " %s", proxy_status_name(proxy->status));
	if (proxy->status == PROXY_SERVING && proxy->latency >= 0)
		line_printf(line, STYLE_DIM, " %.1f ms", (double)proxy->latency / 1000);
	for (size_t i = 0; i < PROXY_PROBES; i++) {
		if (proxy->probes[i].health != PROXY_HEALTH_FULL)
			continue;
		line_add(line, STYLE_LEAKED, " full");
		if (proxy->probes[i].max >= 0)
			line_printf(line, STYLE_LEAKED, " %d/%d", proxy->probes[i].open,
				proxy->probes[i].max);
		return;
	}
}

bool proxy_view_is_bad(const struct assessment *assessment)
{
	const struct proxy *proxy = assessment->proxy;
	bool bad = proxy_is_shown(proxy) &&
		(proxy->status == PROXY_ABSENT || proxy->status == PROXY_FOREIGN);
	for (size_t i = 0; i < PROXY_PROBES && proxy_is_shown(proxy); i++)
		bad |= proxy->probes[i].health == PROXY_HEALTH_FULL;
	return bad;
}

/* "4312 python3 main.py: 3 sockets" */
static const char *client_line(
	struct arena *arena, const struct assessment *assessment, const struct proxy_client *client)
{
	const struct process *process = &assessment->processes[client->process].process;
	const char *name = process->command ? process->command : process->name;
	return arena_printf(arena, "%d %s: %u socket%s, %u connection%s known", process->pid,
		name ? name : "", client->sockets, plural_s(client->sockets), client->matched,
		plural_s(client->matched));
}

static const char *client_lines(
	struct arena *arena, const struct assessment *assessment, bool only_open)
{
	const char *lines = NULL;
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_proxy_clients; i++) {
		const struct proxy_client *client = &assessment->proxy_clients[i];
		if (only_open && client->matched >= client->sockets)
			continue;
		if (++count > MOST_CLIENTS)
			continue;
		const char *line = client_line(arena, assessment, client);
		lines = lines ? arena_printf(arena, "%s\n%s", lines, line) : line;
	}
	if (count > MOST_CLIENTS)
		lines = arena_printf(arena, "%s\nand %zu more", lines, count - MOST_CLIENTS);
	return lines;
}

static const char *far_lines(struct arena *arena, const struct connection *connection)
{
	const char *lines = NULL;
	for (size_t i = 0; i < connection->n_may_be && i < MOST_CLIENTS; i++) {
		const struct far_process *process = &connection->may_be[i];
		const char *name = process->name ? process->name : "";
		lines = lines ? arena_printf(arena, "%s\n%d %s", lines, process->pid, name)
			      : arena_printf(arena, "%d %s", process->pid, name);
	}
	if (connection->n_may_be > MOST_CLIENTS)
		lines = arena_printf(
			arena, "%s\nand %zu more", lines, connection->n_may_be - MOST_CLIENTS);
	return lines;
}

const char *proxy_view_forwarder(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct process *process = connection->owner < assessment->n_processes
		? &assessment->processes[connection->owner].process
		: NULL;
	if (!connection->forwarder)
		return connection->may_be ? "its process forwards for others" : NULL;
	const char *name = process && process->pid == connection->forwarder ? process->name : NULL;
	return arena_printf(arena, "%d %s holds the client's end for it", connection->forwarder,
		name ? name : "");
}

const char *proxy_view_candidates(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	if (!connection->proxied || connection->matched_by == MATCHED_PAGE ||
		connection->matched_by == MATCHED_PROXY ||
		connection->matched_by == MATCHED_PGBOUNCER)
		return connection->n_may_be ? far_lines(arena, connection) : NULL;
	const char *lines = client_lines(arena, assessment, true);
	return lines ? lines : "nobody on this machine that we can see";
}

/* "7m12s ago" */
static const char *ago(struct arena *arena, int64_t then, int64_t now)
{
	char text[DURATION_TEXT_MAX];
	return arena_printf(arena, "%s ago", duration_format(instant_elapsed(then, now), text));
}

static void add_status(struct arena *arena, struct facts *facts, const struct frame *frame)
{
	const struct proxy *proxy = frame->assessment->proxy;
	char address[ENDPOINT_TEXT_MAX];
	enum style style = statuses[proxy->status].style;
	bool is_proxy = proxy_is_shown(proxy) || proxy->status == PROXY_UNKNOWN;
	facts_section(facts, "State");
	if (is_proxy) {
		facts_add(facts, style, "status",
			arena_printf(arena, "%s: %s", proxy_status_name(proxy->status),
				statuses[proxy->status].meaning));
		facts_add(facts, STYLE_CAUTION, "why", proxy->detail);
		if (proxy->status == PROXY_ABSENT && !frame->ui->proxy_start)
			facts_add(facts, STYLE_TEXT, "next",
				"start it; with its command in the configuration (proxy.start) "
				"dbtop can do that");
	} else {
		facts_add(facts, STYLE_TEXT, "status",
			"no proxy: none is where dbtop connects, and the configuration names no "
			"other port (proxy.port)");
		facts_add(facts, STYLE_TEXT, "instead", proxy->detail);
	}
	endpoint_format(&proxy->listener, address);
	facts_add(facts, STYLE_TEXT, "listens on", is_proxy ? address : NULL);
	facts_add(facts, STYLE_DIM, is_proxy ? "expected" : "looked for",
		arena_printf(arena,
			proxy->listener.family == AF_UNIX ? "%s on our socket, .s.PGSQL.%u"
							  : "%s on port %u",
			proxy->wanted, proxy->port));
	if (proxy->proven_at == INSTANT_UNKNOWN || proxy->latency < 0)
		return;
	facts_add(facts, STYLE_TEXT, "round trip",
		arena_printf(arena, "%.1f ms, %s, %s", (double)proxy->latency / 1000,
			ago(arena, proxy->proven_at, frame->now),
			proxy->our_path ? "of dbtop's own connection, which goes through it"
					: "of a connection attempt; there are two a minute"));
}

static void add_process(
	struct arena *arena, struct facts *facts, const struct proxy *proxy, int64_t now)
{
	const struct process *process = &proxy->process;
	facts_section(facts, "Process");
	if (!process->pid)
		return;
	facts_add(facts, STYLE_TEXT, "process",
		arena_printf(arena, "%d %s", process->pid, process->name ? process->name : ""));
	facts_add(facts, STYLE_TEXT, "command", process->command);
	facts_add(facts, STYLE_TEXT, "program", proxy->executable);
	facts_add(facts, STYLE_TEXT, "runs as", process->user);
	facts_add(facts, STYLE_TEXT, "unit", process->unit);
	facts_add(facts, STYLE_TEXT, "container", process->container);
	if (process->started_at != INSTANT_UNKNOWN)
		facts_add(facts, STYLE_TEXT, "started", ago(arena, process->started_at, now));
}

static enum style health_style(enum proxy_health health)
{
	if (health == PROXY_HEALTH_OK)
		return STYLE_GOOD;
	return health >= PROXY_HEALTH_NOT_STARTED && health <= PROXY_HEALTH_FAILING ? STYLE_LEAKED
										    : STYLE_DIM;
}

static void add_health(
	struct arena *arena, struct facts *facts, const struct proxy *proxy, int64_t now)
{
	facts_section(facts, "Health");
	if (!proxy->health_url || proxy->health_at == INSTANT_UNKNOWN)
		return;
	facts_add(facts, STYLE_TEXT, "endpoint",
		arena_printf(arena, "%s, asked %s", proxy->health_url,
			ago(arena, proxy->health_at, now)));
	for (size_t i = 0; i < PROXY_PROBES; i++) {
		const struct proxy_probe *probe = &proxy->probes[i];
		const char *phrase = proxy_health_phrase(probe->health);
		if (probe->text && probe->health != PROXY_HEALTH_OK)
			phrase = arena_printf(arena, "%s: %s", phrase, probe->text);
		facts_add(facts, health_style(probe->health), proxy_probe_name(i), phrase);
	}
}

static struct facts *facts_of(struct arena *arena, const struct frame *frame)
{
	const struct assessment *assessment = frame->assessment;
	const struct proxy *proxy = assessment->proxy;
	struct facts *facts = facts_new(arena);
	if (!proxy) {
		facts_add(facts, STYLE_TEXT, "",
			"No proxy is watched: the configuration names none (proxy.process), or "
			"dbtop's own connection goes to another machine and proxy.port is not "
			"set.");
		return facts;
	}
	add_status(arena, facts, frame);
	add_process(arena, facts, proxy, frame->now);
	add_health(arena, facts, proxy, frame->now);
	facts_section(facts, "Connected to it");
	facts_add(facts, STYLE_TEXT, "", client_lines(arena, assessment, false));
	return facts;
}

static void draw(const struct frame *frame)
{
	struct arena *arena = arena_new();
	struct dialog dialog = {
		.title = "Proxy",
		.title_style = STYLE_STRONG,
		.note = frame->ui->notice,
	};
	facts_draw(frame, facts_of(arena, frame), &dialog);
	arena_free(arena);
}

const struct view proxy_view = { .draw = draw };
