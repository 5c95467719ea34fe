/* Builds the samples from tables of rows. */
#include "sample.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/assessment.h"
#include "model/history.h"
#include "sample_pools.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MINUTES(n)    ((n)*60 * USEC_PER_SEC)
#define SECONDS(n)    ((n)*USEC_PER_SEC)

struct sample_process {
	int32_t pid;
	const char *name, *command, *user, *unit;
	int64_t ended_ago; /* 0: alive */
	int64_t rss;       /* 0: something by its pid … */
	double cpu;        /* … likewise */
};

enum { APP, WORKER, PSQL, REPORTS, WEB, DBTOP, N_SAMPLE_PROCESSES, ELSEWHERE = -1, HIDDEN = -2 };

static const struct sample_process sample_processes[N_SAMPLE_PROCESSES] = {
	[APP] = { 4312, "python3", "python3 main.py", "app", "app.service" },
	[WORKER] = { 3999, "python3", "python3 worker.py", "app", "worker.service", MINUTES(31) },
	[PSQL] = { 5120, "psql", "psql -d app", "alice", NULL },
	[REPORTS] = { 4700, "java", "java -jar reports.jar --nightly", "reports", NULL },
	[WEB] = { 6001, "node", "node server.js", "app", "web.service" },
	[DBTOP] = { 7100, "dbtop", "dbtop", "alice", NULL, .rss = 7130317, .cpu = 0.2 },
};

struct sample_row {
	int32_t pid;
	int process;   /* index into the sample's processes, ELSEWHERE or HIDDEN */
	uint16_t port; /* 0: a Unix socket */
	const char *state, *application;
	int64_t age;
	struct verdict verdict; /* age is filled in */
	const char *query;
};

#define LEAKED(why, how)                                                                           \
	{                                                                                          \
		.status = STATUS_LEAKED, .reason = (why), .certainty = (how)                       \
	}
#define IS(what)                                                                                   \
	{                                                                                          \
		.status = (what)                                                                   \
	}
#define PROTECTED(what, why)                                                                       \
	{                                                                                          \
		.status = (what), .protection = (why)                                              \
	}

static const char idle[] = "idle", active[] = "active", in_transaction[] = "idle in transaction";

static const struct sample_row screen_rows[] = {
	{ 9770, REPORTS, 50211, idle, "reports", SECONDS(361),
		LEAKED(REASON_IDLE_TOO_LONG, CERTAINTY_PRESUMED), "SELECT * FROM monthly_totals" },
	{ 9801, WORKER, 50110, active, "worker", SECONDS(1870),
		LEAKED(REASON_CLIENT_GONE, CERTAINTY_PROVEN), "COPY events FROM STDIN" },
	{ 9802, WORKER, 50112, active, "worker", SECONDS(1868),
		LEAKED(REASON_CLIENT_GONE, CERTAINTY_PROVEN), "SELECT pg_sleep(3600)" },
	{ 9912, APP, 51234, in_transaction, "app/4312/1", SECONDS(432),
		LEAKED(REASON_HELD_TOO_LONG, CERTAINTY_DECLARED),
		"UPDATE outbox SET sent_at = now() WHERE id = $1" },
	{ 9913, APP, 51236, active, "app/4312/2", 100000, IS(STATUS_ACTIVE),
		"SELECT * FROM voices WHERE id = $1" },
	{ 9914, APP, 51240, idle, "app/4312/3", SECONDS(12),
		PROTECTED(STATUS_IDLE, PROTECTION_POOL_RESERVE), "COMMIT" },
	{ 9950, PSQL, 0, idle, "psql", SECONDS(95), IS(STATUS_IDLE), "SELECT version()" },
	{ 9960, WEB, 52001, idle, "web", SECONDS(3), IS(STATUS_IDLE), "COMMIT" },
	{ 9961, WEB, 52002, idle, "web", SECONDS(41), IS(STATUS_IDLE), "COMMIT" },
	{ 9962, WEB, 52003, idle, "web", SECONDS(290), IS(STATUS_IDLE), "COMMIT" },
	{ 9963, WEB, 52004, in_transaction, "web", SECONDS(2), IS(STATUS_IDLE_IN_TRANSACTION),
		"SELECT * FROM carts WHERE id = $1 FOR UPDATE" },
	{ 9964, WEB, 52005, active, "web", 40000, IS(STATUS_ACTIVE),
		"SELECT count(*)\n  FROM orders\n WHERE placed_at > now() - interval '1 day'" },
	{ 9970, ELSEWHERE, 40100, idle, NULL, MINUTES(60),
		PROTECTED(STATUS_IDLE, PROTECTION_SYSTEM), NULL },
	{ 9971, ELSEWHERE, 40102, idle, "jobs", MINUTES(200),
		PROTECTED(STATUS_IDLE, PROTECTION_LISTENER), "LISTEN jobs" },
	{ 9972, ELSEWHERE, 40104, in_transaction, "batch", SECONDS(17),
		IS(STATUS_IDLE_IN_TRANSACTION), "INSERT INTO facts VALUES ($1, $2)" },
	{ 9980, HIDDEN, 0, NULL, NULL, -1, IS(STATUS_UNKNOWN), NULL },
	{ 9981, HIDDEN, 0, NULL, NULL, -1, IS(STATUS_UNKNOWN), NULL },
	{ 9990, DBTOP, 0, active, "dbtop", 900, PROTECTED(STATUS_ACTIVE, PROTECTION_OWN),
		"SELECT …" },
};

static const struct sample_row empty_rows[] = {
	{ 9990, DBTOP, 0, active, "dbtop", 900, PROTECTED(STATUS_ACTIVE, PROTECTION_OWN),
		"SELECT …" },
};

/* What a client may call itself, and what a statement may hold. */
static const char *const hostile_strings[] = {
	"\033]0;owned\007\033[2J\033[1;1H",
	"a\nb\r\nc\td",
	"\"}],\"schema\":9,\"x\":[{\"",
	"\xff\xfe broken \xc0\xaf utf-8 \xed\xa0\x80",
	"\xe2\x80\xaegnp.exe\xe2\x80\xac reversed",
	"漢字かな交じり文の長いアプリケーション名です",
	"e\xcc\x81\xcc\x82\xcc\x83 stacked, zero\xe2\x80\x8bwidth",
	"back\\slash 'quote' %s%n $(id) `id` <b>&amp;",
	"",
	" ",
};

static const char *const long_query =
	"SELECT /* every column of a wide table, as an ORM writes it */ "
	"t0.a, t0.b, t0.c, t0.d, t0.e, t0.f, t0.g, t0.h, t0.i, t0.j, t0.k, t0.l, t0.m, t0.n, "
	"t1.a, t1.b, t1.c, t1.d, t1.e, t1.f, t1.g, t1.h, t1.i, t1.j, t1.k, t1.l, t1.m, t1.n\n"
	"FROM a_rather_long_schema_name.a_rather_long_table_name AS t0\n"
	"JOIN a_rather_long_schema_name.another_rather_long_table_name AS t1 USING (id)\n"
	"WHERE t0.a = ANY ($1) AND t1.b IS NOT NULL ORDER BY t0.c DESC NULLS LAST LIMIT 100";

static struct endpoint tcp_endpoint(uint32_t address, uint16_t port)
{
	struct in_addr in = { .s_addr = htonl(address) };
	return endpoint_make(AF_INET, &in, port);
}

static struct endpoint row_client(const struct sample_row *row)
{
	if (row->process == HIDDEN)
		return (struct endpoint){ 0 };
	if (row->port == 0)
		return (struct endpoint){ .family = AF_UNIX };
	return tcp_endpoint(row->process == ELSEWHERE ? 0x0a000007 : INADDR_LOOPBACK, row->port);
}

static const char *row_user(const struct sample_row *row)
{
	if (row->verdict.protection == PROTECTION_SYSTEM)
		return "cloudsqladmin";
	return row->process == PSQL || row->process == DBTOP ? "alice" : "app";
}

static struct backend hidden_backend(const struct sample_row *row)
{
	return (struct backend){
		.pid = row->pid,
		.kind = BACKEND_HIDDEN,
		.start = INSTANT_UNKNOWN,
		.state_change = INSTANT_UNKNOWN,
		.xact_start = INSTANT_UNKNOWN,
		.query_start = INSTANT_UNKNOWN,
		.database = "app",
		.user = "other",
	};
}

/* Strings of constant rows are shared, not copied. */
static struct backend row_backend(const struct sample_row *row)
{
	if (row->process == HIDDEN)
		return hidden_backend(row);
	bool at_rest = row->state != active;
	return (struct backend){
		.pid = row->pid,
		.start = SAMPLE_NOW - MINUTES(240) + row->pid * 1001,
		.kind = BACKEND_CLIENT,
		.state = backend_state_parse(row->state),
		.state_change = SAMPLE_NOW - row->age,
		.xact_start = row->state == idle ? INSTANT_UNKNOWN : SAMPLE_NOW - row->age - 20000,
		.query_start = SAMPLE_NOW - row->age - (at_rest ? 15000 : 0),
		.database = "app",
		.user = row_user(row),
		.application_name = row->application,
		.client = row_client(row),
		.state_text = row->state,
		.wait_event_type = at_rest ? "Client" : NULL,
		.wait_event = at_rest ? "ClientRead" : NULL,
		.query = row->query,
		.effects.listening = row->verdict.protection == PROTECTION_LISTENER ? EFFECT_BEGINS
										    : EFFECT_NONE,
	};
}

static struct process make_process(const struct sample_process *from)
{
	bool alive = from->ended_ago == 0;
	return (struct process){
		.pid = from->pid,
		.start_ticks = 100000 + (uint64_t)from->pid,
		.started_at = SAMPLE_NOW - MINUTES(300),
		.ended_at = alive ? INSTANT_UNKNOWN : SAMPLE_NOW - from->ended_ago,
		.name = from->name,
		.command = from->command,
		.uid = 1000,
		.user = from->user,
		.unit = from->unit,
		.cpu_percent = !alive   ? (double)NAN
			: from->cpu > 0 ? from->cpu
					: from->pid % 70 / 10.0,
		.rss_bytes = !alive ? -1
			: from->rss ? from->rss
				    : (int64_t)from->pid * 51200,
	};
}

static void add_processes(
	struct assessment *assessment, const struct sample_process *processes, size_t count)
{
	assessment->processes =
		arena_array(assessment->arena, count, sizeof(*assessment->processes));
	assessment->n_processes = count;
	for (size_t i = 0; i < count; i++)
		assessment->processes[i] = (struct client_process){
			.process = make_process(&processes[i]),
			.alive = processes[i].ended_ago == 0,
		};
}

static enum client_end row_end(const struct sample_row *row, bool has_process)
{
	if (row->verdict.reason == REASON_CLIENT_GONE)
		return CLIENT_END_GONE;
	if (has_process)
		return CLIENT_END_HELD;
	return row->process == HIDDEN ? CLIENT_END_UNKNOWN : CLIENT_END_ELSEWHERE;
}

static void add_connection(
	struct assessment *assessment, struct backend *backend, const struct sample_row *row)
{
	*backend = row_backend(row);
	bool has_process = row->process >= 0;
	enum matched_by matched = row->port ? MATCHED_TCP : MATCHED_UNIX;
	struct connection *connection = &assessment->connections[assessment->n_connections++];
	*connection = (struct connection){
		.backend = backend,
		.verdict = row->verdict,
		.end = row_end(row, has_process),
		.matched_by = has_process ? matched : MATCHED_NONE,
		.process = has_process ? (uint32_t)row->process : NO_PROCESS,
		.seen_here = has_process,
		.first_seen = SAMPLE_NOW - MINUTES(10),
		.scanned = true,
		.client_awaited_since = INSTANT_UNKNOWN,
		.waits_for_client = -1,
		.missed_at = row->verdict.reason == REASON_CLIENT_GONE ? SAMPLE_NOW - MINUTES(9)
								       : INSTANT_UNKNOWN,
		.in_scope = true,
	};
	connection->verdict.age = row->age;
}

/* Counts what assess would count. */
static void count(struct assessment *assessment)
{
	struct slots *slots = &assessment->slots;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		bool leaked = connection->verdict.status == STATUS_LEAKED;
		slots->used++;
		slots->by_status[connection->verdict.status]++;
		assessment->n_leaked += leaked;
		if (connection->process != NO_PROCESS) {
			assessment->processes[connection->process].connections++;
			assessment->processes[connection->process].leaked += leaked;
		}
	}
	slots->free = slots->max - slots->reserved - slots->used;
	slots->used_at_most = slots->used;
	slots->free_at_least = slots->free;
}

static void add_rows(struct assessment *assessment, int max_connections,
	const struct sample_row *rows, size_t n_rows)
{
	struct activity *activity = activity_new();
	activity->asked_at = SAMPLE_NOW - 3000;
	activity->taken_at = SAMPLE_NOW - 1000;
	activity->server = (struct server_facts){
		.version = 150020,
		.max_connections = max_connections,
		.reserved = 3,
		.started_at = SAMPLE_NOW - INT64_C(273600) * USEC_PER_SEC,
		.clock = SAMPLE_NOW - 2000,
		.own_pid = 9990,
	};
	activity->backends = arena_array(activity->arena, n_rows, sizeof(*activity->backends));
	activity->n_backends = n_rows;
	assessment->activity = activity;
	assessment->connections =
		arena_array(assessment->arena, n_rows, sizeof(*assessment->connections));
	for (size_t i = 0; i < n_rows; i++)
		add_connection(assessment, &activity->backends[i], &rows[i]);
	assessment->slots = (struct slots){ .max = max_connections, .reserved = 3 };
	count(assessment);
}

static const char *const sample_sources[SOURCE_COUNT] = {
	[SOURCE_ACTIVITY] = "activity",
	[SOURCE_PEERS] = "peers",
	[SOURCE_PAGES] = "pages",
};

static struct assessment *new_assessment(void)
{
	struct arena *arena = arena_new();
	struct assessment *assessment = arena_alloc(arena, sizeof(*assessment));
	*assessment = (struct assessment){
		.arena = arena,
		.now = SAMPLE_NOW,
		.server_now = SAMPLE_NOW,
		.server = { .status = SERVER_OK,
			.host = "127.0.0.1",
			.port = 5432,
			.database = "app",
			.user = "dbtop",
			.latency = 1200,
			.retry_at = INSTANT_UNKNOWN },
		.sources = arena_array(arena, SOURCE_COUNT, sizeof(struct source_state)),
		.n_sources = SOURCE_COUNT,
		.limits = { MINUTES(5), MINUTES(5), MINUTES(1) },
		.slots = slots_unknown(),
		.complete = true,
	};
	for (size_t i = 0; i < SOURCE_COUNT; i++)
		assessment->sources[i] = (struct source_state){ sample_sources[i], SOURCE_OK,
			SAMPLE_NOW - 1000, NULL };
	return assessment;
}

static void build_screen(struct assessment *assessment)
{
	add_processes(assessment, sample_processes, N_SAMPLE_PROCESSES);
	add_rows(assessment, 25, screen_rows, LENGTH(screen_rows));
	sample_add_pools(assessment, WEB);
}

static void build_empty(struct assessment *assessment)
{
	add_processes(assessment, sample_processes, N_SAMPLE_PROCESSES);
	add_rows(assessment, 100, empty_rows, LENGTH(empty_rows));
	assessment->processes += DBTOP;
	assessment->n_processes = 1;
	assessment->connections[0].process = 0;
}

static void build_hostile(struct assessment *assessment)
{
	build_screen(assessment);
	struct arena *arena = assessment->arena;
	const char *clean[LENGTH(hostile_strings)];
	for (size_t i = 0; i < LENGTH(hostile_strings); i++)
		clean[i] = text_clean(
			arena, hostile_strings[i], strlen(hostile_strings[i]), TEXT_LINE);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		struct backend *backend = (struct backend *)assessment->connections[i].backend;
		if (backend->kind == BACKEND_HIDDEN)
			continue;
		backend->application_name = clean[i % LENGTH(clean)];
		backend->database = clean[(i + 3) % LENGTH(clean)];
		backend->user = clean[(i + 5) % LENGTH(clean)];
		const char *query = i % 3 ? hostile_strings[(i + 1) % LENGTH(clean)] : long_query;
		backend->query = text_clean(arena, query, strlen(query), TEXT_BLOCK);
	}
	for (size_t i = 0; i < assessment->n_processes; i++) {
		assessment->processes[i].process.name = clean[(i + 2) % LENGTH(clean)];
		assessment->processes[i].process.command = clean[(i + 4) % LENGTH(clean)];
		assessment->processes[i].process.unit = clean[(i + 6) % LENGTH(clean)];
	}
	struct slot_limit *limits = arena_array(arena, 3, sizeof(*limits));
	limits[0] = (struct slot_limit){ SLOT_LIMIT_ROLE, clean[3], 20, -1, 18 };
	limits[1] = (struct slot_limit){ SLOT_LIMIT_DATABASE, clean[5], 50, 12, 12 };
	limits[2] = (struct slot_limit){ SLOT_LIMIT_ROLE, "app", -1, 2, 2 };
	assessment->slot_limits = limits;
	assessment->n_slot_limits = 3;
	struct login *logins = arena_array(arena, 3, sizeof(*logins));
	logins[0] = (struct login){ .process = REPORTS, .count = 20 };
	logins[1] = (struct login){
		.process = NO_PROCESS, .client = tcp_endpoint(0x0a000009, 0), .count = 3
	};
	logins[2] = (struct login){ .process = NO_PROCESS, .count = 1 };
	assessment->processes[REPORTS].logging_in = 20;
	assessment->logins = logins;
	assessment->n_logins = 3;
	assessment->slots.logging_in = 24;
	assessment->processes[PSQL].process.name = NULL;
	assessment->processes[PSQL].process.command = NULL;
	assessment->processes[PSQL].process.user = NULL;
}

static void set_server_full(struct assessment *assessment)
{
	struct server_state *server = &assessment->server;
	server->status = SERVER_FULL;
	server->error = "FATAL: remaining connection slots are reserved for non-replication "
			"superuser connections";
	server->hint =
		"every slot is taken; E (--emergency) stops the application, dbtop connects as "
		"soon as one is free";
	strcpy(server->sqlstate, "53300");
	server->retry_at = SAMPLE_NOW + SECONDS(4);
}

static void build_stale(struct assessment *assessment)
{
	build_screen(assessment);
	set_server_full(assessment);
	struct activity *activity = (struct activity *)assessment->activity;
	activity->taken_at = SAMPLE_NOW - SECONDS(14);
	struct source_state *source = &assessment->sources[SOURCE_ACTIVITY];
	source->status = SOURCE_STALE;
	source->taken_at = activity->taken_at;
	source->error = assessment->server.error;
}

static void forget_activity(struct assessment *assessment, enum source_status status)
{
	assessment->sources[SOURCE_ACTIVITY].status = status;
	assessment->sources[SOURCE_ACTIVITY].taken_at = INSTANT_UNKNOWN;
	assessment->sources[SOURCE_ACTIVITY].error = assessment->server.error;
	assessment->server.latency = -1;
	assessment->complete = false;
}

static void build_full(struct assessment *assessment)
{
	set_server_full(assessment);
	forget_activity(assessment, SOURCE_FAILED);
	add_processes(assessment, sample_processes, N_SAMPLE_PROCESSES);
	static const uint32_t connections[N_SAMPLE_PROCESSES] = {
		[APP] = 14, [PSQL] = 1, [REPORTS] = 2, [WEB] = 5
	};
	for (size_t i = 0; i < assessment->n_processes; i++)
		assessment->processes[i].connections = connections[i];
}

static void build_refused(struct assessment *assessment)
{
	assessment->server.status = SERVER_REFUSED;
	assessment->server.error = "connection to server at \"127.0.0.1\", port 5432 failed: "
				   "Connection refused";
	assessment->server.hint = "is PostgreSQL running there? try: pg_isready -h 127.0.0.1";
	assessment->server.retry_at = SAMPLE_NOW + SECONDS(2);
	forget_activity(assessment, SOURCE_FAILED);
}

static void build_connecting(struct assessment *assessment)
{
	assessment->server.status = SERVER_CONNECTING;
	forget_activity(assessment, SOURCE_WAITING);
	assessment->sources[SOURCE_PEERS].status = SOURCE_WAITING;
	assessment->sources[SOURCE_PEERS].taken_at = INSTANT_UNKNOWN;
}

static void build_outbox(struct assessment *assessment)
{
	build_screen(assessment);
	assessment->pages->items[0].outbox = (struct pool_outbox){
		.present = true,
		.waiting = 12,
		.rejected = 2,
		.oldest_at = assessment->pages->items[0].read_at - SECONDS(192),
	};
}

static void (*const builders[SAMPLE_COUNT])(struct assessment *assessment) = {
	[SAMPLE_SCREEN] = build_screen,
	[SAMPLE_HOSTILE] = build_hostile,
	[SAMPLE_STALE] = build_stale,
	[SAMPLE_FULL] = build_full,
	[SAMPLE_REFUSED] = build_refused,
	[SAMPLE_CONNECTING] = build_connecting,
	[SAMPLE_EMPTY] = build_empty,
	[SAMPLE_OUTBOX] = build_outbox,
};

struct assessment *sample_assessment(enum sample_kind kind)
{
	struct assessment *assessment = new_assessment();
	builders[kind](assessment);
	return assessment;
}

struct assessment *sample_many(size_t n_connections, size_t n_processes)
{
	static const struct verdict leaked = LEAKED(REASON_IDLE_TOO_LONG, CERTAINTY_PRESUMED);
	static const struct verdict resting = IS(STATUS_IDLE);
	struct assessment *assessment = new_assessment();
	struct arena *arena = assessment->arena;
	struct sample_process *processes = arena_array(arena, n_processes, sizeof(*processes));
	for (size_t i = 0; i < n_processes; i++)
		processes[i] = (struct sample_process){ .pid = 2000 + (int32_t)i,
			.name = "worker",
			.command = arena_printf(arena, "worker --shard %zu", i),
			.user = "app" };
	add_processes(assessment, processes, n_processes);

	struct sample_row *rows = arena_array(arena, n_connections, sizeof(*rows));
	for (size_t i = 0; i < n_connections; i++)
		rows[i] = (struct sample_row){ .pid = 10000 + (int32_t)i,
			.process = (int)(i % n_processes),
			.port = (uint16_t)(20000 + i % 40000),
			.state = idle,
			.application = arena_printf(arena, "worker/%zu", i % n_processes),
			.age = i % 10 ? SECONDS((int64_t)i % 290) : MINUTES(6),
			.verdict = i % 10 ? resting : leaked,
			.query = long_query };
	add_rows(assessment, (int)n_connections + 100, rows, n_connections);
	return assessment;
}

struct connection *sample_find(struct assessment *assessment, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].backend->pid == pid)
			return &assessment->connections[i];
	return NULL;
}

void sample_history(struct history *history)
{
	*history = (struct history){ 0 };
	for (int i = 300; i >= 0; i--)
		history_add(history,
			(struct history_sample){ .at = SAMPLE_NOW - SECONDS(i),
				/* it rises, and then stays */
				.used = i < 100 ? 18 : 6 + (300 - i) * 12 / 200,
				.leaked = i < 120 ? 2 : 0 });
}
