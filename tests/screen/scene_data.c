/* Tables, and what is made of them. */
#include "scene_data.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>

#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "model/lock.h"
#include "model/proxy.h"
#include "sample.h"
#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SECONDS(n)    ((n)*USEC_PER_SEC)
#define MS(n)         ((n)*USEC_PER_MSEC)

/* --- pools --- */

static const struct pool_page flushing = {
	.status = POOL_PAGE_LIVE,
	.name = "importer",
	.pid = 4811,
	.owner_visible = true,
	.phase = "flushing",
	.max = 4,
	.in_use = 1,
	.idle = 1,
	.acquired_total = 96211,
	.wait_p99 = 310,
	.held_max = MS(180),
	.held_site = "outbox.c:77",
	.pending_writes = 12,
	.read_at = SAMPLE_NOW - MS(15),
};

static const struct pool_page left_behind = {
	.status = POOL_PAGE_DEAD,
	.name = "worker",
	.pid = 3999,
	.owner_visible = true,
	.phase = "running",
	.max = 2,
	.held_max = -1,
	.wait_p99 = -1,
	.pending_writes = -1,
	.read_at = SAMPLE_NOW - MS(15),
};

void scene_set_pools(struct assessment *assessment)
{
	struct pool *pools = arena_array(assessment->arena, 4, sizeof(*pools));
	pools[0] = assessment->pools[0];
	pools[1] = (struct pool){ POOL_DBPOOL, flushing.name, &flushing, .process = NO_PROCESS };
	pools[2] = (struct pool){ POOL_DBPOOL, left_behind.name, &left_behind,
		.process = NO_PROCESS, .connections = 2, .leaked = 2 };
	pools[3] = assessment->pools[1];
	assessment->pools = pools;
	assessment->n_pools = 4;
	assessment->waiters[0].pool = assessment->waiters[1].pool = &pools[3];
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].pool)
			assessment->connections[i].pool = &pools[0];
	/* the page that cannot be read has been seen in other scenes */
	((struct pool_pages *)assessment->pages)->count = 1;
}

/* --- locks --- */

static const int32_t behind_the_app[] = { 9912 }, behind_a_cart[] = { 9963 };

static const struct lock lock_rows[] = {
	{ .pid = 9913,
		.type = "relation",
		.mode = "RowExclusiveLock",
		.object = "outbox",
		.since = SAMPLE_NOW - SECONDS(64),
		.blockers = behind_the_app,
		.n_blockers = 1 },
	{ .pid = 9963,
		.type = "tuple",
		.mode = "ExclusiveLock",
		.object = "a row of outbox",
		.since = SAMPLE_NOW - SECONDS(21),
		.blockers = behind_the_app,
		.n_blockers = 1 },
	{ .pid = 9964,
		.type = "transactionid",
		.mode = "ShareLock",
		.object = "transaction 81277",
		.since = SAMPLE_NOW - SECONDS(20),
		.blockers = behind_a_cart,
		.n_blockers = 1 },
	{ .pid = 9912,
		.granted = true,
		.type = "relation",
		.mode = "AccessExclusiveLock",
		.object = "outbox",
		.since = INSTANT_UNKNOWN },
	{ .pid = 9963,
		.granted = true,
		.type = "transactionid",
		.mode = "ExclusiveLock",
		.object = "transaction 81277",
		.since = INSTANT_UNKNOWN },
};

void scene_set_locks(struct assessment *assessment)
{
	struct lock_table *table = lock_table_new();
	table->taken_at = SAMPLE_NOW - MS(4);
	table->items = arena_array(table->arena, LENGTH(lock_rows), sizeof(lock_rows[0]));
	table->count = LENGTH(lock_rows);
	memcpy(table->items, lock_rows, sizeof(lock_rows));
	assessment->locks = table;
}

/* --- the proxy, and a server that wants a password --- */

void scene_set_proxy(struct assessment *assessment)
{
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	struct proxy *proxy = proxy_new();
	proxy->wanted = "cloud-sql-proxy";
	proxy->port = 5432;
	proxy->status = PROXY_SERVING;
	proxy->listener = endpoint_make(AF_INET, &loopback, 5432);
	proxy->our_path = true;
	proxy->latency = 2100;
	proxy->proven_at = SAMPLE_NOW - MS(400);
	proxy->process = (struct process){ .pid = 812,
		.name = "cloud-sql-proxy",
		.command = "cloud-sql-proxy --health-check --port 5432 project:region:instance",
		.user = "app",
		.unit = "cloud-sql-proxy.service",
		.started_at = SAMPLE_NOW - SECONDS(273600),
		.ended_at = INSTANT_UNKNOWN };
	proxy->executable = "/usr/local/bin/cloud-sql-proxy";
	proxy->health_url = "http://localhost:9090";
	proxy->health_at = SAMPLE_NOW - SECONDS(4);
	for (size_t i = 0; i < PROXY_PROBES; i++)
		proxy->probes[i] = (struct proxy_probe){ PROXY_HEALTH_OK, "ok", -1, -1 };
	assessment->proxy = proxy;
}

void scene_set_denied(struct assessment *assessment)
{
	struct server_state *server = &assessment->server;
	server->status = SERVER_DENIED;
	server->error = "FATAL: password authentication failed for user \"dbtop\"";
	strcpy(server->sqlstate, "28P01");
}

/* --- an emergency --- */

static const struct action_step emergency_rows[] = {
	{ .kind = STEP_PROCESS,
		.selected = true,
		.pid = 4312,
		.process.name = "python3",
		.process.command = "python3 main.py",
		.process.user = "app",
		.process.unit = "app.service",
		.process.applications = "app",
		.process.connections = 14,
		.process.took = -1 },
	{ .kind = STEP_PROCESS,
		.selected = true,
		.pid = 4811,
		.process.name = "python3",
		.process.command = "python3 importer.py",
		.process.user = "app",
		.process.applications = "importer",
		.process.connections = 5,
		.process.took = -1 },
	{ .kind = STEP_PROCESS,
		.pid = 5120,
		.process.name = "psql",
		.process.command = "psql -d app",
		.process.user = "app",
		.process.connections = 1,
		.process.skip = SKIP_CLIENT_PROGRAM,
		.process.took = -1 },
	{ .kind = STEP_PROCESS,
		.pid = 812,
		.process.name = "pgbouncer",
		.process.command = "pgbouncer /etc/pgbouncer/pgbouncer.ini",
		.process.user = "postgres",
		.process.connections = 3,
		.process.skip = SKIP_PGBOUNCER,
		.process.took = -1 },
};

static const struct action_step gone_session = {
	.pid = 9802,
	.session.state_text = "active",
	.session.reason = REASON_CLIENT_GONE,
	.session.certainty = CERTAINTY_PROVEN,
	.session.age = SECONDS(1868),
	.session.application_name = "worker",
	.session.loses = "running statement",
	.selected = true,
};

static struct action *make_round(const struct action_step *step)
{
	struct action *plan = action_new(ACTION_EMERGENCY, 1);
	plan->steps[0] = *step;
	plan->n_steps = 1;
	return plan;
}

struct emergency *scene_emergency(void)
{
	struct arena *arena = arena_new();
	struct emergency *emergency = arena_alloc(arena, sizeof(*emergency));
	emergency->action.arena = arena;
	emergency->action.made_at = SAMPLE_NOW;
	emergency->action.server = "app @ 127.0.0.1:5432";
	emergency->action.grace = SECONDS(10);
	emergency->connected = true;
	emergency->action.n_steps = LENGTH(emergency_rows);
	emergency->action.steps =
		arena_array(arena, LENGTH(emergency_rows), sizeof(emergency_rows[0]));
	memcpy(emergency->action.steps, emergency_rows, sizeof(emergency_rows));
	emergency->gone = make_round(&gone_session);
	emergency->counted = -1;
	return emergency;
}

void scene_emergency_elsewhere(struct emergency *emergency)
{
	static struct findings_host hosts[] = {
		{ "db-1", 12, "ssh -t db-1 dbtop -h 10.0.0.5 -p 5432 -U dbtop -d app --emergency" },
		{ "deploy@10.0.0.7", 1,
			"ssh -t deploy@10.0.0.7 dbtop -h 10.0.0.5 -p 5432 -U dbtop -d app "
			"--emergency" }
	};
	emergency->hosts = hosts;
	emergency->n_hosts = LENGTH(hosts);
}

void scene_emergency_stopping(struct emergency *emergency)
{
	struct action_step *first = &emergency->action.steps[0];
	emergency->phase = EMERGENCY_STOPPING;
	first->process.signal = SIGTERM;
	first->process.took = MS(640);
	first->result = RESULT_TERMINATED;
	emergency->action.steps[1].process.signal = SIGTERM;
}

void scene_emergency_done(struct emergency *emergency)
{
	struct action_step *second = &emergency->action.steps[1];
	scene_emergency_stopping(emergency);
	second->process.signal = SIGKILL;
	second->process.took = SECONDS(10) + MS(120);
	second->result = RESULT_TERMINATED;
	emergency->phase = EMERGENCY_DONE;
	emergency->rounds[0] = make_round(&gone_session);
	emergency->rounds[0]->steps[0].result = RESULT_DENIED;
	emergency->rounds[0]->steps[0].detail = "GRANT pg_signal_backend TO dbtop;";
	emergency->n_rounds = 1;
	emergency->counted = 1;
	emergency->left = arena_alloc(emergency->action.arena, sizeof(*emergency->left));
	emergency->left[0] =
		(struct emergency_left){ 9802, 0, "worker", 1, "denied: pg_signal_backend" };
	emergency->n_left = 1;
}

/* --- stats pages of the dead --- */

static const struct action_step dead_pages[] = {
	{ .kind = STEP_PAGE,
		.selected = true,
		.pid = 3999,
		.page = { .path = "/run/worker.page",
			.name = "worker",
			.process = "python3 worker.py",
			.dead_since = SAMPLE_NOW - SECONDS(1860) } },
	{ .kind = STEP_PAGE,
		.selected = true,
		.pid = 4100,
		.page = { .path = "/run/importer.page",
			.name = "importer",
			.dead_since = SAMPLE_NOW - SECONDS(7200) } },
};

struct action *scene_clearing(bool done)
{
	struct action *clearing = action_new(ACTION_CLEAR_PAGES, LENGTH(dead_pages));
	clearing->made_at = SAMPLE_NOW;
	clearing->server = "app @ 127.0.0.1:5432";
	clearing->n_steps = LENGTH(dead_pages);
	memcpy(clearing->steps, dead_pages, sizeof(dead_pages));
	for (size_t i = 0; done && i < clearing->n_steps; i++)
		clearing->steps[i].result = i ? RESULT_GONE : RESULT_CLEARED;
	return clearing;
}

/* --- a shutdown --- */

static void add_connection(
	struct shutdown_record *record, int32_t backend, int64_t closed_at, const char *site)
{
	struct shutdown_connection *connection = shutdown_add_connection(record);
	connection->backend = backend;
	connection->owner = 4312;
	connection->closed_at = closed_at;
	connection->ended_at = closed_at;
	if (closed_at != INSTANT_UNKNOWN)
		return;
	connection->state = "idle in transaction";
	connection->state_age = SECONDS(432);
	connection->site = site;
}

static void add_phase(
	struct shutdown_record *record, const char *name, int64_t began_at, int64_t writes)
{
	struct shutdown_phase *phase = shutdown_add_phase(record);
	phase->pid = 4312;
	phase->name = name;
	phase->began_at = began_at;
	phase->pending.first = writes;
	phase->pending.drained_at = began_at + MS(38);
}

/* Time begins a second before the first trigger. */
static void fill_end(struct shutdown_record *record, bool is_left)
{
	const int64_t start = SECONDS(1);
	record->signalled_at = start;
	record->trigger = "its pool stops lending";
	add_phase(record, "stopping", start, 0);
	add_phase(record, "flushing", start + MS(41), 12);
	add_phase(record, "closing", start + MS(180), 0);
	add_connection(record, 9913, start + MS(188), NULL);
	add_connection(record, 9914, start + MS(395), NULL);
	add_connection(record, 9912, is_left ? INSTANT_UNKNOWN : start + MS(402), "sync.c:212");
	record->processes[0].ended_at = start + MS(412);
}

void scene_watch(struct scenery *scenery, enum scene_watch what)
{
	static const struct shutdown_rules rules;
	struct shutdown_record *record = &scenery->record;
	record->timeout = SECONDS(10);
	record->settle = SECONDS(5);
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = 4312;
	process->name = "python3";
	process->command = true;
	if (what == WATCH_ARMED)
		for (int32_t i = 0; i < 3; i++)
			add_connection(record, 9912 + i, INSTANT_UNKNOWN, NULL);
	else
		fill_end(record, what == WATCH_LEFT);
	scenery->verdict = shutdown_judge(record, &rules, SECONDS(7), scenery->arena);
	scenery->watch = (struct ui_watch){
		.name = "python3 4312",
		.verdict = &scenery->verdict,
		.connections = what == WATCH_ARMED ? 3 : 0,
		.left = what == WATCH_LEFT ? 1 : 0,
		.complete = what != WATCH_ARMED,
		.elapsed = what == WATCH_ARMED ? -1 : SECONDS(6),
	};
	scenery->ui.watch = &scenery->watch;
}

/* --- the log --- */

const struct scene_action scene_actions[] = {
	{ SECONDS(40), STYLE_TEXT,
		"kill leaked: backend 9633 terminated, held too long, app on app, of python3 "
		"main.py" },
	{ SECONDS(40), STYLE_CAUTION,
		"kill leaked: backend 9641 denied, idle too long, reports on app, of java -jar "
		"reports.jar --nightly: permission denied to terminate process" },
	{ SECONDS(41), STYLE_TEXT,
		"kill leaked: begins with 2 targets, by alice, on app @ 127.0.0.1:5432" },
	{ SECONDS(90000), STYLE_TEXT,
		"cancel: backend 8120 cancelled, app on app, of node server.js" },
};
const size_t n_scene_actions = LENGTH(scene_actions);
