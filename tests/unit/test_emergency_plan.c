/* action/emergency_plan: who is stopped in an emergency, who never is, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "action/emergency_candidates.h"
#include "action/emergency_plan.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/host_ends.h"
#include "model/proxy.h"
#include "model/rules.h"

#define PORT 5432
#define ROOT 0
#define APP  1000
#define MOST 16

/* A process with one connection to the server, from 127.0.0.1. */
struct row {
	const char *what; /* the case */
	const char *name, *executable, *application, *told;
	uint32_t uid;
	bool ours, serves, holds_servers_end;
	enum skip_reason expected, blind; /* with a connection, and without */
	const char *script, *user;        /* NULL: somebody */
	bool starts_server, servers_user, forwards;
};

/* protect: applications billing*, users none, processes cron*; emergency.applications: none;
 * proxy: cloud-sql-proxy; we are user 1000. */
static const struct row rows[] = {
	{ "the application", "python3", "python3.11", "web", "web", APP, .expected = SKIP_NONE,
		.blind = SKIP_NONE },
	{ "one whose name nobody knows yet", "python3", "python3.11", "web", NULL, APP,
		.expected = SKIP_NONE, .blind = SKIP_NOT_TOLD },
	{ "protected by its connection's name", "python3", "python3.11", "billing-2", NULL, APP,
		.expected = SKIP_PROTECTED, .blind = SKIP_NOT_TOLD },
	{ "protected by what it was told", "python3", "python3.11", "billing-2", "billing-2", APP,
		.expected = SKIP_PROTECTED, .blind = SKIP_PROTECTED },
	{ "told one name, and goes by another", "python3", "python3.11", "web", "billing", APP,
		.expected = SKIP_NONE, .blind = SKIP_PROTECTED },
	{ "protected by its process", "cron-jobs", "bash", "web", "web", APP,
		.expected = SKIP_PROTECTED, .blind = SKIP_PROTECTED },
	{ "dbtop and its ancestors", "tmux", "tmux", "web", "web", APP, .ours = true,
		.expected = SKIP_DBTOP, .blind = SKIP_DBTOP },
	{ "another user's", "python3", "python3.11", "web", "web", 1001,
		.expected = SKIP_OTHER_USER, .blind = SKIP_OTHER_USER },
	{ "another user's, not to be read", "python3", NULL, "web", NULL, 1001,
		.expected = SKIP_OTHER_USER, .blind = SKIP_OTHER_USER },
	{ "ours, not to be read", "python3", NULL, "web", NULL, APP, .expected = SKIP_UNREADABLE,
		.blind = SKIP_UNREADABLE },
	{ "PostgreSQL by its executable", "walreceiver", "postgres", "web", "web", APP,
		.expected = SKIP_POSTGRESQL, .blind = SKIP_POSTGRESQL },
	{ "whoever holds the server's end", "forked", "forked", "web", "web", APP,
		.holds_servers_end = true, .expected = SKIP_POSTGRESQL, .blind = SKIP_POSTGRESQL },
	{ "PgBouncer by its executable", "x", "pgbouncer", "web", "web", APP,
		.expected = SKIP_PGBOUNCER, .blind = SKIP_PGBOUNCER },
	{ "a pooler by its listening socket", "pgcat", "pgcat", "web", "web", APP, .serves = true,
		.expected = SKIP_PGBOUNCER, .blind = SKIP_PGBOUNCER },
	{ "an application that calls itself PgBouncer", "pgbouncer", "python3.11", "web", "web",
		APP, .expected = SKIP_NONE, .blind = SKIP_NONE },
	{ "the proxy by its executable", "x", "cloud-sql-proxy", "web", "web", APP,
		.expected = SKIP_PROXY, .blind = SKIP_PROXY },
	{ "a colleague's psql", "psql", "psql", "psql", "psql", APP,
		.expected = SKIP_CLIENT_PROGRAM, .blind = SKIP_CLIENT_PROGRAM },
	{ "what PostgreSQL was started from", "bash", "bash", "web", "web", APP,
		.expected = SKIP_PARENT, .blind = SKIP_PARENT, .starts_server = true },
	{ "Patroni, a script", "patroni", "python3.11", "Patroni heartbeat", NULL, APP,
		.expected = SKIP_HA_AGENT, .blind = SKIP_HA_AGENT, .script = "patroni" },
	{ "Patroni, from its folder", "python3", "python3.11", "web", NULL, APP,
		.expected = SKIP_HA_AGENT, .blind = SKIP_HA_AGENT, .script = "patroni.py" },
	{ "repmgrd", "repmgrd", "repmgrd", "repmgrd", NULL, APP, .expected = SKIP_HA_AGENT,
		.blind = SKIP_HA_AGENT },
	{ "pg_autoctl", "pg_autoctl", "pg_autoctl", "web", NULL, APP, .expected = SKIP_HA_AGENT,
		.blind = SKIP_HA_AGENT },
	{ "an application that calls itself Patroni", "patroni", "python3.11", "web", "web", APP,
		.expected = SKIP_NONE, .blind = SKIP_NONE, .script = "app.py" },
	{ "another pooler by its executable", "pgpool", "pgpool", "web", "web", APP,
		.expected = SKIP_PGBOUNCER, .blind = SKIP_PGBOUNCER },
	{ "a script that is called pgbouncer", "python3", "python3.11", "web", "web", APP,
		.expected = SKIP_NONE, .blind = SKIP_NONE, .script = "pgbouncer" },
	{ "sshd", "sshd", "sshd", "web", "web", APP, .expected = SKIP_SSHD, .blind = SKIP_SSHD },
	{ "sshd of OpenSSH 9.8", "sshd-session", "sshd-session", "web", "web", APP,
		.expected = SKIP_SSHD, .blind = SKIP_SSHD },
	{ "a forwarder by its executable", "socat", "socat", "web", "web", APP,
		.expected = SKIP_FORWARDER, .blind = SKIP_FORWARDER },
	{ "a forwarder by what it carries", "python3", "python3.11", "web", "web", APP,
		.expected = SKIP_FORWARDER, .blind = SKIP_FORWARDER, .forwards = true },
	{ "a person's tool, a script", "python3", "python3.11", "pgcli", "pgcli", APP,
		.expected = SKIP_CLIENT_PROGRAM, .blind = SKIP_CLIENT_PROGRAM, .script = "pgcli" },
	{ "maintenance", "vacuumdb", "vacuumdb", "vacuumdb", NULL, APP,
		.expected = SKIP_CLIENT_PROGRAM, .blind = SKIP_CLIENT_PROGRAM },
	{ "a benchmark", "pgbench", "pgbench", "pgbench", NULL, APP,
		.expected = SKIP_CLIENT_PROGRAM, .blind = SKIP_CLIENT_PROGRAM },
	{ "another dbtop", "dbtop", "dbtop", "dbtop", NULL, APP, .expected = SKIP_CLIENT_PROGRAM,
		.blind = SKIP_CLIENT_PROGRAM },
	{ "the demo's application", "storefront", "dbtop", "web", "web", APP, .expected = SKIP_NONE,
		.blind = SKIP_NONE },
	{ "the server's user, which is a person's and ours", "python3", "python3.11", "web", "web",
		APP, .expected = SKIP_NONE, .blind = SKIP_NONE, .servers_user = true },
	{ "the server's user, which is ours and postgres", "python3", "python3.11", "web", "web",
		APP, .expected = SKIP_SERVERS_USER, .blind = SKIP_SERVERS_USER, .user = "postgres",
		.servers_user = true },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct world {
	struct assessment *assessment;
	struct process_facts facts[MOST];
	size_t n_facts;
};

static struct endpoint at(uint16_t port)
{
	struct in_addr address = { .s_addr = htonl(INADDR_LOOPBACK) };
	return endpoint_make(AF_INET, &address, port);
}

static void add_socket(struct peers *peers, struct endpoint local, struct endpoint remote,
	uint32_t inode, uint32_t process)
{
	peers->tcp[peers->n_tcp++] =
		(struct tcp_socket){ .local = local, .remote = remote, .inode = inode, .state = 1 };
	peers->owners[peers->n_owners++] = (struct socket_owner){ inode, process };
}

static void add_connection(
	struct world *world, const struct row *row, const struct process *process, int i)
{
	struct assessment *assessment = world->assessment;
	struct activity *activity = (struct activity *)assessment->activity;
	struct backend *backend = &activity->backends[activity->n_backends++];
	*backend = (struct backend){ .pid = 9000 + i,
		.start = 1 + i,
		.kind = BACKEND_CLIENT,
		.state = BACKEND_STATE_IDLE,
		.state_text = "idle",
		.user = "app",
		.application_name = row->application,
		.client = at((uint16_t)(40000 + i)) };
	assessment->processes[assessment->n_processes] =
		(struct client_process){ .process = *process, .connections = 1, .alive = true };
	assessment->connections[assessment->n_connections++] =
		(struct connection){ .backend = backend,
			.end = CLIENT_END_HELD,
			.matched_by = MATCHED_TCP,
			.process = (uint32_t)assessment->n_processes++,
			.in_scope = true };
}

/* One process of that row, with one connection. */
static struct world world_of(const struct row *row, bool connected)
{
	struct arena *arena = arena_new();
	struct world world = { .assessment = arena_alloc(arena, sizeof(struct assessment)) };
	struct assessment *assessment = world.assessment;
	struct peers *peers = peers_new();
	struct activity *activity = connected ? activity_new() : NULL;
	*assessment = (struct assessment){ .arena = arena,
		.peers = peers,
		.activity = activity,
		.server = { .status = connected ? SERVER_OK : SERVER_FULL,
			.host = "127.0.0.1",
			.port = PORT,
			.database = "app",
			.user = "app" } };
	assessment->sources = arena_array(arena, SOURCE_COUNT, sizeof(*assessment->sources));
	assessment->sources[SOURCE_ACTIVITY].status = SOURCE_OK;
	assessment->connections = arena_array(arena, MOST, sizeof(*assessment->connections));
	assessment->processes = arena_array(arena, MOST, sizeof(*assessment->processes));
	if (activity)
		activity->backends = arena_array(activity->arena, MOST, sizeof(struct backend));
	peers->target = (struct peers_target){ .server = at(PORT), .port = PORT };
	peers->tcp = arena_array(peers->arena, MOST, sizeof(*peers->tcp));
	peers->owners = arena_array(peers->arena, MOST, sizeof(*peers->owners));
	peers->processes = arena_array(peers->arena, MOST, sizeof(*peers->processes));
	peers->processes[peers->n_processes++] = (struct process){ .pid = 100,
		.start_ticks = 7,
		.ended_at = INSTANT_UNKNOWN,
		.name = row->name,
		.command = row->name,
		.uid = row->uid,
		.user = row->user ? row->user : "somebody" };
	add_socket(peers, at(40000), at(PORT), 500, 0);
	if (row->holds_servers_end)
		add_socket(peers, at(PORT), at(40001), 501, 0);
	world.facts[world.n_facts++] = (struct process_facts){ .pid = 100,
		.start_ticks = 7,
		.executable = row->executable,
		.path = row->executable,
		.script = row->script,
		.application = row->told,
		.ours = row->ours,
		.serves = row->serves,
		.starts_server = row->starts_server,
		.servers_user = row->servers_user,
		.forwards = row->forwards };
	if (connected)
		add_connection(&world, row, &peers->processes[0], 0);
	return world;
}

static struct rules rules;
static struct patterns applications;
static struct emergency_plan_options options;

static int set_up(void **state)
{
	static const char *billing[] = { "billing*" }, *cron[] = { "cron*" };
	(void)state;
	rules = (struct rules){ .protected_applications = { billing, 1 },
		.protected_processes = { cron, 1 } };
	applications = (struct patterns){ 0 };
	options = (struct emergency_plan_options){ .rules = &rules,
		.applications = &applications,
		.proxy = "cloud-sql-proxy",
		.uid = APP,
		.grace = 10 * USEC_PER_SEC };
	return 0;
}

static enum skip_reason judge(const struct row *row, bool connected)
{
	struct world world = world_of(row, connected);
	struct emergency *emergency =
		emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->action.n_steps, 1);
	assert_int_equal(emergency->connected, connected);
	/* it is stopped only while it runs this */
	const char *program = emergency->action.steps[0].process.executable;
	assert_true(row->executable ? program && strcmp(program, row->executable) == 0 : !program);
	enum skip_reason skip = emergency->action.steps[0].process.skip;
	assert_int_equal(action_count_selected(&emergency->action), skip == SKIP_NONE);
	emergency_free(emergency);
	assessment_free(world.assessment);
	return skip;
}

static void assert_judged(const struct row *row, bool connected, enum skip_reason expected)
{
	enum skip_reason found = judge(row, connected);
	if (found != expected)
		fail_msg("%s, %s: %s, not %s", row->what, connected ? "connected" : "blind",
			found ? skip_reason_name(found) : "stopped",
			expected ? skip_reason_name(expected) : "stopped");
}

static void each_is_judged_by_what_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		assert_judged(&rows[i], true, rows[i].expected);
		assert_judged(&rows[i], false, rows[i].blind);
	}
}

static void other_users_are_roots_when_asked(void **state)
{
	(void)state;
	const struct row *theirs = &rows[7];
	options.all_users = true;
	assert_judged(theirs, true, SKIP_OTHER_USER);
	options.uid = ROOT;
	assert_judged(theirs, true, SKIP_NONE);
	options.all_users = false;
	assert_judged(theirs, true, SKIP_OTHER_USER);
}

/* For root, too, and for any other user; only a name releases it. */
static void what_runs_as_the_servers_user_is_stopped_only_by_name(void **state)
{
	static const char *web[] = { "web" };
	(void)state;
	const struct row theirs = { "the server's user", "python3", "python3.11", "web", "web",
		.uid = 1001, .servers_user = true };
	options.uid = ROOT;
	assert_judged(&theirs, true, SKIP_OTHER_USER);
	options.all_users = true;
	assert_judged(&theirs, true, SKIP_SERVERS_USER);
	assert_judged(&theirs, false, SKIP_SERVERS_USER);
	applications = (struct patterns){ web, 1 };
	assert_judged(&theirs, true, SKIP_NONE);
	applications = (struct patterns){ 0 };
	regex_t scope;
	assert_int_equal(regcomp(&scope, "^web$", REG_EXTENDED | REG_NOSUB), 0);
	rules.scope = &scope;
	assert_judged(&theirs, true, SKIP_NONE);
	assert_judged(&theirs, false, SKIP_SERVERS_USER);
	regfree(&scope);
}

static void with_pids_only_these_are_stopped(void **state)
{
	(void)state;
	static const int32_t ours[] = { 99, 100 }, other[] = { 99 };
	const struct row *app = &rows[0];
	const struct row tool = { "a tool", "psql", "psql", "psql", "psql", APP };
	const struct row theirs = { "the server's user", "python3", "python3.11", "web", "web",
		.uid = APP, .user = "postgres", .servers_user = true };
	options.pids = other;
	options.n_pids = 1;
	assert_judged(app, true, SKIP_NOT_NAMED);
	options.pids = ours;
	options.n_pids = 2;
	assert_judged(app, true, SKIP_NONE);
	assert_judged(app, false, SKIP_NONE);
	/* naming it is asking for it */
	assert_judged(&tool, true, SKIP_NONE);
	assert_judged(&theirs, true, SKIP_NONE);
	/* what is protected stays so */
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].expected == SKIP_PROTECTED || rows[i].expected == SKIP_POSTGRESQL ||
			rows[i].expected == SKIP_HA_AGENT || rows[i].expected == SKIP_PARENT)
			assert_judged(&rows[i], true, rows[i].expected);
}

/* The server has room: nothing is stopped that nobody named. */
static void at_a_limit_nothing_is_ticked_unless_named(void **state)
{
	(void)state;
	static const int32_t pid[] = { 100 };
	static const char *all[] = { "*" };
	struct world world = world_of(&rows[0], false);
	world.assessment->server.status = SERVER_ROLE_LIMIT;
	for (int named = 0; named < 3; named++) {
		options.pids = pid;
		options.n_pids = named == 1;
		applications = (struct patterns){ all, named == 2 };
		struct emergency *emergency =
			emergency_plan(world.assessment, &options, world.facts, world.n_facts);
		struct action_step *step = &emergency->action.steps[0];
		assert_true(emergency->has_room);
		assert_int_equal(step->selected, named > 0);
		assert_int_equal(step->process.skip, named ? SKIP_NONE : SKIP_UNTICKED);
		if (!named) {
			assert_true(emergency_tick(emergency, 0));
			assert_true(step->selected && step->process.skip == SKIP_NONE);
			emergency_tick_all(emergency);
			assert_false(step->selected);
		}
		emergency_free(emergency);
	}
	assessment_free(world.assessment);
}

static void what_is_left_alone_cannot_be_ticked(void **state)
{
	(void)state;
	const struct row tool = { "a tool", "psql", "psql", "psql", "psql", APP };
	struct world world = world_of(&tool, true);
	struct emergency *emergency =
		emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_false(emergency_tick(emergency, 0));
	emergency_tick_all(emergency);
	assert_false(emergency->action.steps[0].selected);
	emergency_free(emergency);
	assessment_free(world.assessment);
}

/* No name makes one of these a process that is stopped. */
static void agents_and_forwarders_are_never_named(void **state)
{
	static const char *all[] = { "*" };
	(void)state;
	applications = (struct patterns){ all, 1 };
	for (size_t i = 0; i < ROWS; i++)
		switch (rows[i].expected) {
		case SKIP_PARENT:
		case SKIP_HA_AGENT:
		case SKIP_SSHD:
		case SKIP_FORWARDER: assert_judged(&rows[i], true, rows[i].expected); break;
		default: break;
		}
}

static void names_for_the_emergency_restrict_it(void **state)
{
	static const char *web[] = { "web*" }, *python[] = { "python*" }, *psql[] = { "psql" };
	(void)state;
	applications = (struct patterns){ web, 1 };
	assert_judged(&rows[0], true, SKIP_NONE);
	assert_judged(&rows[0], false, SKIP_NONE);
	assert_judged(&rows[1], false, SKIP_NOT_TOLD);
	/* named by its process: it may be stopped although its connections' name is not known */
	applications = (struct patterns){ python, 1 };
	assert_judged(&rows[1], false, SKIP_NONE);
	assert_judged(&rows[2], true, SKIP_PROTECTED);
	applications = (struct patterns){ psql, 1 };
	assert_judged(&rows[0], true, SKIP_NOT_NAMED);
	assert_judged(&rows[16], true, SKIP_NONE);
}

static void out_of_scope_is_out_of_reach(void **state)
{
	(void)state;
	regex_t scope;
	assert_int_equal(regcomp(&scope, "^other$", REG_EXTENDED | REG_NOSUB), 0);
	rules.scope = &scope;
	struct world world = world_of(&rows[0], true);
	world.assessment->connections[0].in_scope = false;
	struct emergency *emergency =
		emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->action.steps[0].process.skip, SKIP_OUT_OF_SCOPE);
	emergency_free(emergency);
	assessment_free(world.assessment);
	assert_judged(&rows[0], false, SKIP_NOT_TOLD);
	regfree(&scope);
}

static void assert_unreadable(const struct world *world, const char *why)
{
	struct emergency *emergency =
		emergency_plan(world->assessment, &options, world->facts, world->n_facts);
	assert_int_equal(emergency->action.n_steps, 1);
	assert_int_equal(emergency->action.steps[0].process.skip, SKIP_UNREADABLE);
	assert_non_null(emergency->action.steps[0].process.why);
	assert_non_null(strstr(emergency->action.steps[0].process.why, why));
	assert_int_equal(emergency->held->n_steps, 0);
	emergency_free(emergency);
}

static void what_could_not_be_read_in_time_is_left_alone(void **state)
{
	(void)state;
	struct world world = world_of(&rows[0], true);
	world.facts[0] = (struct process_facts){ .pid = 100, .start_ticks = 7, .hangs = true };
	assert_unreadable(&world, "hangs in the kernel");
	world.n_facts = 0;
	assert_unreadable(&world, "was not read");
	assessment_free(world.assessment);
}

static void a_connection_matched_by_its_name_is_no_connection(void **state)
{
	(void)state;
	struct world world = world_of(&rows[0], true);
	world.assessment->connections[0].matched_by = MATCHED_NAME;
	((struct peers *)world.assessment->peers)->n_tcp = 0;
	uint32_t candidates[MOST];
	assert_int_equal(emergency_candidates_list(world.assessment, candidates), 0);
	world.assessment->connections[0].matched_by = MATCHED_PGBOUNCER;
	assert_int_equal(emergency_candidates_list(world.assessment, candidates), 1);
	assessment_free(world.assessment);
}

static void another_servers_clients_are_not_ours(void **state)
{
	(void)state;
	struct world world = world_of(&rows[0], false);
	struct peers *peers = (struct peers *)world.assessment->peers;
	uint32_t candidates[MOST];
	/* the same port on another machine */
	peers->tcp[0].remote.address[0] = 10;
	assert_int_equal(emergency_candidates_list(world.assessment, candidates), 0);
	assessment_free(world.assessment);
}

/* Sessions of other machines' processes. */
static void add_hosts(struct world *world, const char *const *names, size_t n_names)
{
	struct assessment *assessment = world->assessment;
	for (size_t i = 0; i < n_names; i++) {
		const struct process process = { .pid = 100, .start_ticks = 7, .host = names[i] };
		add_connection(world, &rows[0], &process, 1 + (int)i);
		assessment->connections[i + 1].matched_by = MATCHED_HOST;
		assessment->connections[i + 1].owner = assessment->connections[i + 1].process;
	}
	assessment->hosts = arena_array(assessment->arena, n_names, sizeof(*assessment->hosts));
	assessment->n_hosts = n_names;
}

/* Each other machine is named, with what to run there. */
static void every_other_machine_is_named(void **state)
{
	static const char *const names[] = { "db", "web", "web", "user@cron" };
	(void)state;
	char text[FINDINGS_TEXT_MAX];
	struct world world = world_of(&rows[0], true);
	add_hosts(&world, names, 4);
	world.assessment->connections[1].verdict.protection = PROTECTION_APPLICATION;
	struct emergency *emergency =
		emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->action.n_steps, 1);
	assert_int_equal(emergency->n_hosts, 2);
	assert_string_equal(emergency->hosts[0].name, "web");
	assert_int_equal(emergency->hosts[0].sessions, 2);
	assert_string_equal(emergency->hosts[1].name, "user@cron");
	findings_describe_unreached(world.assessment, text);
	assert_non_null(strstr(text,
		"3 sessions belong to processes that cannot be stopped from here: run dbtop where "
		"they run, as their user or as root: ssh -t web dbtop -U app -d app "
		"--emergency; ssh -t user@cron dbtop -U app -d app --emergency"));
	emergency_free(emergency);
	assessment_free(world.assessment);
}

/* The command names the server as it is known over there, and is good for both shells. */
static void the_command_for_another_machine_can_be_typed(void **state)
{
	static const struct {
		const char *host, *database, *client, *command;
	} cases[] = {
		{ "127.0.0.1", "shop", "10.0.0.7:40000",
			"ssh -t web dbtop -h 10.0.0.5 -p 5432 -U app -d shop --emergency" },
		{ "/run/postgresql", "shop", "10.0.0.7:40000",
			"ssh -t web dbtop -h 10.0.0.5 -p 5432 -U app -d shop --emergency" },
		{ "db.example.org", "shop", "10.0.0.7:40000",
			"ssh -t web dbtop -h db.example.org -p 6000 -U app -d shop --emergency" },
		{ "localhost", "shop", "10.0.0.9:40000",
			"ssh -t web dbtop -U app -d shop --emergency" },
		{ "db", "my shop", "10.0.0.9:40000",
			"ssh -t web 'dbtop -h db -p 6000 -U app -d '\\''my shop'\\'' "
			"--emergency'" },
	};
	(void)state;
	struct tcp_socket socket = { .inode = 1 };
	struct peers peers = { .tcp = &socket, .n_tcp = 1 };
	struct arena *arena = arena_new();
	assert_true(endpoint_parse("10.0.0.5:5432", &socket.local));
	assert_true(endpoint_parse("10.0.0.7:40000", &socket.remote));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct assessment assessment = { .peers = &peers,
			.server = { .host = cases[i].host,
				.port = 6000,
				.user = "app",
				.database = cases[i].database } };
		struct endpoint client;
		assert_true(endpoint_parse(cases[i].client, &client));
		assert_string_equal(findings_host_command(&assessment, arena, "web", &client),
			cases[i].command);
	}
	struct host_ends ends = { .name = "web", .by_command = true };
	struct asked_host host = { .latest = &ends };
	const struct assessment assessment = { .peers = &peers, .hosts = &host, .n_hosts = 1 };
	assert_string_equal(findings_host_command(&assessment, arena, "web", &socket.remote),
		"on web: dbtop -h 10.0.0.5 -p 5432 --emergency");
	arena_free(arena);
}

/* The text ends with how many more there are. */
static void machines_without_room_are_counted(void **state)
{
	(void)state;
	char text[FINDINGS_TEXT_MAX], names[MOST - 1][80];
	const char *list[MOST - 1];
	struct world world = world_of(&rows[0], true);
	for (size_t i = 0; i < MOST - 1; i++) {
		snprintf(names[i], sizeof(names[i]), "%02zu-%070d", i, 0);
		list[i] = names[i];
	}
	add_hosts(&world, list, MOST - 1);
	findings_describe_unreached(world.assessment, text);
	assert_non_null(strstr(text, "-d app --emergency; and on "));
	assessment_free(world.assessment);
}

/* Another way to the same port of this machine: most likely the same server, but only it can tell.
 */
static void a_client_without_a_socket_is_left_until_the_server_reports_it(void **state)
{
	(void)state;
	struct world world = world_of(&rows[0], false);
	struct peers *peers = (struct peers *)world.assessment->peers;
	struct unix_socket socket = { .inode = 600, .peer = 500, .at_server = true };
	peers->n_tcp = 0;
	peers->unix_sockets = &socket;
	peers->n_unix = 1;
	struct emergency *emergency =
		emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->action.n_steps, 1);
	assert_int_equal(emergency->action.steps[0].process.skip, SKIP_NOT_TOLD);
	assert_int_equal(emergency->action.steps[0].process.connections, 1);
	emergency_free(emergency);
	/* the very file that we connect to */
	socket.at_target = true;
	emergency = emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->action.steps[0].process.skip, SKIP_NONE);
	emergency_free(emergency);
	/* a server on another machine has no socket here */
	socket.at_target = false;
	peers->target.server.address[0] = 10;
	emergency = emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->action.n_steps, 0);
	emergency_free(emergency);
	assessment_free(world.assessment);
}

static void only_sessions_of_the_stopped_and_the_gone_are_ended(void **state)
{
	(void)state;
	struct world world = world_of(&rows[0], true);
	struct assessment *assessment = world.assessment;
	struct emergency *emergency =
		emergency_plan(assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->gone->n_steps, 0);
	/* not before its process was stopped */
	struct action *plan = emergency_plan_sessions(emergency, assessment, &applications);
	assert_int_equal(plan->n_steps, 0);
	action_free(plan);
	emergency->action.steps[0].process.signal = 15;
	plan = emergency_plan_sessions(emergency, assessment, &applications);
	assert_int_equal(plan->n_steps, 1);
	assert_int_equal(plan->kind, ACTION_EMERGENCY);
	action_free(plan);
	/* never PgBouncer's own */
	assessment->connections[0].matched_by = MATCHED_PGBOUNCER;
	plan = emergency_plan_sessions(emergency, assessment, &applications);
	assert_int_equal(plan->n_steps, 0);
	action_free(plan);
	/* one whose client is gone, but not a protected one */
	assessment->connections[0].process = NO_PROCESS;
	assessment->connections[0].matched_by = MATCHED_NONE;
	assessment->connections[0].end = CLIENT_END_GONE;
	plan = emergency_plan_sessions(emergency, assessment, &applications);
	assert_int_equal(plan->n_steps, 1);
	action_free(plan);
	assessment->connections[0].verdict.protection = PROTECTION_APPLICATION;
	plan = emergency_plan_sessions(emergency, assessment, &applications);
	assert_int_equal(plan->n_steps, 0);
	action_free(plan);
	emergency_free(emergency);
	assessment_free(assessment);
}

/* Whatever it is called: it listens on the proxy's port. */
static void the_proxy_is_found_by_its_socket(void **state)
{
	(void)state;
	for (int connected = 0; connected < 2; connected++) {
		struct world world = world_of(&rows[0], connected);
		struct proxy *proxy = proxy_new();
		world.assessment->proxy = proxy;
		proxy->status = PROXY_LISTENING;
		proxy->process = (struct process){ .pid = 100, .start_ticks = 7, .name = "other" };
		struct emergency *emergency =
			emergency_plan(world.assessment, &options, world.facts, world.n_facts);
		assert_int_equal(emergency->action.steps[0].process.skip, SKIP_PROXY);
		emergency_free(emergency);
		/* a pid that was used again */
		proxy->process.start_ticks = 6;
		emergency = emergency_plan(world.assessment, &options, world.facts, world.n_facts);
		assert_int_equal(emergency->action.steps[0].process.skip, SKIP_NONE);
		emergency_free(emergency);
		assessment_free(world.assessment);
	}
}

static void what_is_lost_with_a_process_is_reported(void **state)
{
	(void)state;
	char loses[EMERGENCY_LOSES_MAX];
	struct world world = world_of(&rows[0], true);
	struct activity *activity = (struct activity *)world.assessment->activity;
	struct emergency *emergency =
		emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_int_equal(emergency->held->n_steps, 1);
	assert_string_equal(emergency_loses(emergency, &emergency->action.steps[0], loses), "");
	emergency_free(emergency);
	activity->backends[0].state = BACKEND_STATE_IN_TRANSACTION;
	emergency = emergency_plan(world.assessment, &options, world.facts, world.n_facts);
	assert_string_equal(emergency_loses(emergency, &emergency->action.steps[0], loses),
		"1 open transaction");
	emergency->held->steps[0].session.locks = 3;
	emergency->held->steps[0].session.waiters = 2;
	assert_string_equal(emergency_loses(emergency, &emergency->action.steps[0], loses),
		"1 open transaction, 3 locks, 2 wait");
	emergency_free(emergency);
	assessment_free(world.assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_is_judged_by_what_it_is, set_up),
		cmocka_unit_test_setup(other_users_are_roots_when_asked, set_up),
		cmocka_unit_test_setup(
			what_runs_as_the_servers_user_is_stopped_only_by_name, set_up),
		cmocka_unit_test_setup(with_pids_only_these_are_stopped, set_up),
		cmocka_unit_test_setup(at_a_limit_nothing_is_ticked_unless_named, set_up),
		cmocka_unit_test_setup(what_is_left_alone_cannot_be_ticked, set_up),
		cmocka_unit_test_setup(agents_and_forwarders_are_never_named, set_up),
		cmocka_unit_test_setup(names_for_the_emergency_restrict_it, set_up),
		cmocka_unit_test_setup(out_of_scope_is_out_of_reach, set_up),
		cmocka_unit_test_setup(every_other_machine_is_named, set_up),
		cmocka_unit_test_setup(the_command_for_another_machine_can_be_typed, set_up),
		cmocka_unit_test_setup(machines_without_room_are_counted, set_up),
		cmocka_unit_test_setup(what_could_not_be_read_in_time_is_left_alone, set_up),
		cmocka_unit_test_setup(a_connection_matched_by_its_name_is_no_connection, set_up),
		cmocka_unit_test_setup(another_servers_clients_are_not_ours, set_up),
		cmocka_unit_test_setup(
			a_client_without_a_socket_is_left_until_the_server_reports_it, set_up),
		cmocka_unit_test_setup(only_sessions_of_the_stopped_and_the_gone_are_ended, set_up),
		cmocka_unit_test_setup(the_proxy_is_found_by_its_socket, set_up),
		cmocka_unit_test_setup(what_is_lost_with_a_process_is_reported, set_up),
	};
	return cmocka_run_group_tests_name("emergency_plan", tests, NULL, NULL);
}
