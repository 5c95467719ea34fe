/* "Nothing found" is reported only of what could be seen: each situation in each mode, in words and
 * by exit status. */
#include "live_group.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "scraper.h"

enum mode { ONCE, JSON, KILL, KILL_JSON, EMERGENCY, EMERGENCY_JSON, N_MODES };

static const char *const mode_options[N_MODES][4] = {
	[ONCE] = { "--once" },
	[JSON] = { "--json" },
	[KILL] = { "--kill-leaked", "--dry-run" },
	[KILL_JSON] = { "--kill-leaked", "--dry-run", "--json" },
	[EMERGENCY] = { "--emergency", "--dry-run" },
	[EMERGENCY_JSON] = { "--emergency", "--dry-run", "--json" },
};

/* What a run must print, on stdout or stderr; NULL: nothing in particular. */
struct expected {
	int status;
	const char *words, *never;
};

struct situation {
	const char *name;
	const char *(*prepare)(void); /* returns the conninfo, and leaves the server so */
	const char *options[3];
	bool as_nobody; /* when the tests run as root */
	struct expected modes[N_MODES];
	/* of runs that stay the status is 0; without words there is no such run */
	struct expected guard, metrics, shutdown;
};

/* Runs dbtop; whether it says what it must. */
static bool check(const struct situation *situation, enum mode mode, const char *conninfo)
{
	const struct expected *expected = &situation->modes[mode];
	const char *argv[12];
	size_t n = 0;
	argv[n++] = live_dbtop_path();
	argv[n++] = "-w";
	for (size_t i = 0; i < 4 && mode_options[mode][i]; i++)
		argv[n++] = mode_options[mode][i];
	for (size_t i = 0; i < 3 && situation->options[i]; i++)
		argv[n++] = situation->options[i];
	argv[n++] = conninfo;
	argv[n] = NULL;
	const struct live_program_options options = {
		.argv = argv,
		.unprivileged = situation->as_nobody,
	};
	struct live_run run = live_run(&options, 60000);
	CLEANUP(cleanup_free) char *all = mem_printf("%s%s", run.out, run.err);
	bool has_words = !expected->words || strstr(all, expected->words);
	bool has_never = expected->never && strstr(all, expected->never);
	bool is_right = run.status == expected->status && has_words && !has_never;
	if (!is_right)
		print_error("%s, %s: status %d, expected %d; \"%s\" %s, \"%s\" %s:\n%s\n%s\n",
			situation->name, mode_options[mode][0], run.status, expected->status,
			expected->words ? expected->words : "", has_words ? "found" : "missing",
			expected->never ? expected->never : "", has_never ? "found" : "missing",
			run.out, run.err);
	live_run_clear(&run);
	return is_right;
}

/* --- modes that stay, and shutdown tests --- */

struct staying {
	const struct situation *situation;
	struct live_program *dbtop;
	int port;
	char *metrics;
};

static bool has_said(void *data)
{
	struct staying *staying = data;
	free(staying->metrics);
	staying->metrics = scraper_ask(staying->port, "GET", "/metrics", "");
	return strstr(staying->metrics, staying->situation->metrics.words) &&
		strstr(live_err(staying->dbtop), staying->situation->guard.words);
}

/* A guard that only logs, and serves metrics. It ends with 0 whatever it saw. */
static bool check_staying(const struct situation *situation, const char *conninfo)
{
	struct staying staying = { .situation = situation };
	const char *const argv[] = { live_dbtop_path(), "-w", "--guard", "--yes", "--dry-run",
		"--for", "0.1", "--min-certainty", "presumed", "--metrics", "0", "-i", "0.2",
		conninfo, situation->options[0], NULL };
	const struct live_program_options options = { .argv = argv,
		.unprivileged = situation->as_nobody };
	if (!situation->guard.words)
		return true;
	staying.dbtop = live_start(&options);
	staying.port = scraper_port(staying.dbtop);
	bool has_words = live_wait(has_said, &staying, 30000);
	live_signal(staying.dbtop, SIGTERM);
	int status = live_finish(staying.dbtop, 30000);
	const char *said = live_err(staying.dbtop);
	bool is_right = has_words && status == 0 &&
		!(situation->guard.never && strstr(said, situation->guard.never)) &&
		!(situation->metrics.never && strstr(staying.metrics, situation->metrics.never));
	if (!is_right)
		print_error("%s, --guard --metrics: status %d:\n%s\n%s\n", situation->name, status,
			said, staying.metrics);
	free(staying.metrics);
	live_free(staying.dbtop);
	return is_right;
}

/* A client of the role app, which a signal ends. */
static bool check_shutdown(const struct situation *situation, const char *conninfo)
{
	const struct expected *expected = &situation->shutdown;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	if (!expected->words)
		return true;
	struct live_run run = live_dbtop("--shutdown-test", "--json", "-w", "--ready-timeout", "30",
		conninfo, "--", live_client_path(), app, "idle", NULL);
	bool is_right = run.status == expected->status && strstr(run.out, expected->words) &&
		!(expected->never && strstr(run.out, expected->never));
	if (!is_right)
		print_error("%s, --shutdown-test: status %d, expected %d and \"%s\":\n%s\n%s\n",
			situation->name, run.status, expected->status, expected->words, run.out,
			run.err);
	live_run_clear(&run);
	return is_right;
}

static const char *as_super(void)
{
	return live_group_conninfo(LIVE_UNIX, NULL);
}

static struct live_program *start_app(const char *user)
{
	CLEANUP(cleanup_free) char *more = mem_printf("user=%s", user);
	CLEANUP(cleanup_free) char *way = live_conninfo(server, LIVE_TCP4, more);
	struct live_program *app = live_client(way, "idle", NULL);
	CLEANUP(cleanup_free) char *where = mem_printf("usename = '%s'", user);
	live_wait_sessions(server, where, 1, 10000);
	return app;
}

/* A role without pg_monitor, beside another role's session. */
static const char *as_plain(void)
{
	start_app("app");
	return live_group_conninfo(LIVE_TCP4, "user=plain");
}

static const char *with_an_app(void)
{
	start_app("app");
	return as_super();
}

/* The folder of root's pages is there. It stays, as it does after each pool of root's. */
static const char *beside_other_pages(void)
{
	assert_true(mkdir("/tmp/dbpool-0", 0700) == 0 || errno == EEXIST);
	return as_super();
}

static const char *not_connected(void)
{
	static char conninfo[64];
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=app dbname=postgres",
		live_free_port());
	return conninfo;
}

/* All slots that our role may use are taken; other roles see a full server. */
static const char *full(void)
{
	CLEANUP(cleanup_free) char *way = live_conninfo(server, LIVE_TCP4, "user=app");
	live_client(way, "idle", "17", NULL);
	live_wait_sessions(server, "usename = 'app'", 17, 20000);
	return live_group_conninfo(LIVE_TCP4, "user=plain");
}

/* The same, with the application over TCP and dbtop over the server's Unix socket. */
static const char *full_over_unix(void)
{
	full();
	return live_group_conninfo(LIVE_UNIX, "user=plain");
}

static struct live_pgbouncer *pgbouncer;

/* Connected through PgBouncer, beside an application that is connected to the server itself. */
static const char *behind_a_pooler(void)
{
	static char *conninfo;
	start_app("app");
	pgbouncer = live_pgbouncer_start(server, NULL);
	free(conninfo);
	conninfo = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, NULL);
	return conninfo;
}

/* The last poll fails: the role may not call the function, which the view calls, too. */
static const char *without_the_view(void)
{
	live_sql(server,
		"REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int4) FROM PUBLIC");
	start_app("app");
	return live_group_conninfo(LIVE_TCP4, "user=plain");
}

static void view_again(void)
{
	live_sql(server,
		"GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int4) TO PUBLIC");
}

static const struct situation situations[] = {
	{
		"clean",
		as_super,
		{ NULL },
		false,
		{
			[ONCE] = { 0, "leaked 0", "cannot tell" },
			[JSON] = { 0, "\"leaked\":0", NULL },
			[KILL] = { 0, "nothing to end", "cannot tell" },
			[KILL_JSON] = { 0, "\"targets\":[],\"terminated\":0", NULL },
			[EMERGENCY] = { 0, "nothing to stop", "cannot tell" },
			[EMERGENCY_JSON] = { 0, "\"error\":null", NULL },
		},
		.guard = { 0, "connected to", "hidden" },
		.metrics = { 0, "kind=\"used\"} ", NULL },
		.shutdown = { 0, "\"verdict\":\"pass\"", NULL },
	},
	{
		"a plain role",
		as_plain,
		{ NULL },
		false,
		{
			[ONCE] = { 3, "GRANT pg_monitor TO plain;", NULL },
			[JSON] = { 3, "\"used\":null,\"free\":null,\"used_at_most\":2", NULL },
			[KILL] = { 3, "cannot tell: 1 session is hidden from this role",
				"nothing to end" },
			[KILL_JSON] = { 3, "\"error\":\"1 session is hidden", NULL },
			[EMERGENCY] = { 1, "would stop 1 process", NULL },
			[EMERGENCY_JSON] = { 1, "\"error\":\"1 session is hidden", NULL },
		},
		.guard = { 0, "1 session is hidden from this role", NULL },
		.metrics = { 0, "status=\"unknown\"} 1\n", "kind=\"used\"" },
		.shutdown = { 3, "cannot tell: the server hides", NULL },
	},
	{
		"a leak",
		with_an_app,
		{ "--idle-limit=1ms" },
		false,
		{
			[ONCE] = { 1,
				"what would be ended: dbtop --no-password --idle-limit 1ms 'host=",
				NULL },
			[JSON] = { 1, "\"leaked\":1", NULL },
			[KILL] = { 1, "would end 1", "cannot tell" },
			[KILL_JSON] = { 1, "\"error\":null", NULL },
			[EMERGENCY] = { 1, "would stop 1", NULL },
			[EMERGENCY_JSON] = { 1, "\"error\":null", NULL },
		},
		.guard = { 0, "would be ended (dry run)", NULL },
		.metrics = { 0, "reason=\"idle_too_long\",certainty=\"presumed\"} 1\n", NULL },
	},
	{ "a leak that does not count", with_an_app, { "--idle-limit=1ms", "--proven-only" }, false,
		{
			[ONCE] = { 0, NULL, "cannot tell" },
			[JSON] = { 0, "\"leaked\":1", NULL },
			[KILL] = { 0, "nothing to end", "cannot tell" },
			[KILL_JSON] = { 0, "\"targets\":[]", NULL },
			[EMERGENCY] = { 2, "--min-certainty", NULL },
			[EMERGENCY_JSON] = { 2, "--min-certainty", NULL },
		} },
	{ "too few free slots", with_an_app, { "--min-free=50" }, false,
		{
			[ONCE] = { 1, "fewer than the 50 free slots", NULL },
			[JSON] = { 1, "\"free\":", NULL },
			[KILL] = { 2, "--min-free", NULL },
			[KILL_JSON] = { 2, "--min-free", NULL },
			[EMERGENCY] = { 2, "--min-free", NULL },
			[EMERGENCY_JSON] = { 2, "--min-free", NULL },
		} },
	{ "too few free slots as far as can be seen", as_plain, { "--min-free=16" }, false,
		{
			[ONCE] = { 3, "perhaps fewer than the 16 free slots", NULL },
			[JSON] = { 3, "\"free_at_least\":15", NULL },
			[KILL] = { 2, "--min-free", NULL },
			[KILL_JSON] = { 2, "--min-free", NULL },
			[EMERGENCY] = { 2, "--min-free", NULL },
			[EMERGENCY_JSON] = { 2, "--min-free", NULL },
		} },
	{
		"not connected",
		not_connected,
		{ NULL },
		false,
		{
			[ONCE] = { 3, "not known", "none leaked" },
			[JSON] = { 3, "\"connections\":null", NULL },
			[KILL] = { 3, "cannot tell: not connected: ", "nothing to" },
			[KILL_JSON] = { 3, "\"targets\":null,\"terminated\":null", NULL },
			[EMERGENCY] = { 3, "cannot tell: not connected: ", "nothing to stop" },
			[EMERGENCY_JSON] = { 3, "\"error\":\"not connected: ", NULL },
		},
		.guard = { 0, "not connected: ", "connected to" },
		.metrics = { 0, "dbtop_up{", "dbtop_connections{" },
		.shutdown = { 3, "cannot tell: not connected: ", NULL },
	},
	{
		"a full server",
		full,
		{ NULL },
		false,
		{
			[ONCE] = { 3, "not known", "none leaked" },
			[JSON] = { 3, "\"used\":null", NULL },
			[KILL] = { 3, "cannot tell: not connected: ", "nothing to" },
			[KILL_JSON] = { 3, "\"targets\":null,\"terminated\":null", NULL },
			[EMERGENCY] = { 1, "would stop 1 process", NULL },
			[EMERGENCY_JSON] = { 1, "\"connected\":false", NULL },
		},
		.guard = { 0, "not connected: ", "connected to" },
		.metrics = { 0, "dbtop_up{", "dbtop_connections{" },
		.shutdown = { 3, "cannot tell: not connected: ", NULL },
	},
	{ "a full server over its Unix socket", full_over_unix, { NULL }, false,
		{
			[ONCE] = { 3, "live_client", "none leaked" },
			[JSON] = { 3, "\"name\":\"live_client\"", NULL },
			[KILL] = { 3, "cannot tell: not connected: ", "nothing to" },
			[KILL_JSON] = { 3, "\"targets\":null,\"terminated\":null", NULL },
			[EMERGENCY] = { 1, "would stop 1 process", "connect to 127.0.0.1" },
			[EMERGENCY_JSON] = { 1, "\"connected\":false", NULL },
		} },
	{
		"behind a pooler",
		behind_a_pooler,
		{ NULL },
		false,
		{
			[ONCE] = { 0, "through a pooler: connect to PostgreSQL itself", NULL },
			[JSON] = { 0, "\"pooler\":true", NULL },
			[KILL] = { 3, "through a pooler: connect to PostgreSQL itself",
				"nothing to" },
			[KILL_JSON] = { 3, "through a pooler", NULL },
			[EMERGENCY] = { 3, "through a pooler: connect to PostgreSQL itself",
				"nothing to" },
			[EMERGENCY_JSON] = { 3, "through a pooler", NULL },
		},
		.guard = { 0, "nothing is ended through a pooler", NULL },
		.metrics = { 0, "dbtop_up{", NULL },
	},
	{
		"a poll that fails",
		without_the_view,
		{ NULL },
		false,
		{
			[ONCE] = { 3, "cannot tell: the last poll failed: ", NULL },
			[JSON] = { 3, "\"connections\":null", NULL },
			[KILL] = { 3, "cannot tell: the last poll failed: ", "nothing to" },
			[KILL_JSON] = { 3, "\"targets\":null", NULL },
			[EMERGENCY] = { 1, "perhaps more: the last poll failed: ", NULL },
			[EMERGENCY_JSON] = { 1, "\"error\":\"the last poll failed: ", NULL },
		},
		.guard = { 0, "the last poll failed: permission denied", NULL },
		.metrics = { 0, "dbtop_up{", "dbtop_connections{" },
		.shutdown = { 3, "cannot tell: the last poll failed: permission denied", NULL },
	},
	{
		"another user's processes",
		with_an_app,
		{ NULL },
		true,
		{
			[ONCE] = { 0, "judged by age alone", NULL },
			[JSON] = { 0, "\"client_end\":\"not_visible\"", NULL },
			[KILL] = { 0, "nothing to end", NULL },
			[KILL_JSON] = { 0, "\"error\":null", NULL },
			[EMERGENCY] = { 3, "cannot tell: 1 session belongs to processes",
				"nothing to stop" },
			[EMERGENCY_JSON] = { 3, "which dbtop may not see", NULL },
		},
		.guard = { 0, "connected to", NULL },
		.metrics = { 0, "kind=\"used\"} 2\n", NULL },
	},
	{ "another user's stats pages", beside_other_pages, { NULL }, true,
		{
			[ONCE] = { 0, "are not read: dbtop as root reads them", NULL },
			[JSON] = { 0, "are not read: dbtop as root reads them", NULL },
			[KILL] = { 0, "nothing to end", NULL },
			[KILL_JSON] = { 0, "\"error\":null", NULL },
			[EMERGENCY] = { 0, "nothing to stop", NULL },
			[EMERGENCY_JSON] = { 0, "\"error\":null", NULL },
		} },
};
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The server ends a session after its client has ended: the next run is not to count it. PgBouncer
 * keeps the session that it opened for dbtop. */
static void wait_for_rest(const struct situation *situation, long before)
{
	if (situation->prepare != behind_a_pooler)
		live_wait_sessions(server, NULL, before, 20000);
}

static void only_what_was_looked_at_is_clean(void **state)
{
	size_t wrong = 0;
	for (size_t i = 0; i < LENGTH(situations); i++) {
		if (situations[i].as_nobody && getuid() != 0)
			continue;
		const char *conninfo = situations[i].prepare();
		long before = live_sessions(server, NULL);
		wrong += !check_staying(&situations[i], conninfo);
		wait_for_rest(&situations[i], before);
		wrong += !check_shutdown(&situations[i], conninfo);
		wait_for_rest(&situations[i], before);
		for (int mode = 0; mode < N_MODES; mode++) {
			wrong += !check(&situations[i], (enum mode)mode, conninfo);
			wait_for_rest(&situations[i], before);
		}
		view_again();
		live_group_clean_up(state);
	}
	assert_int_equal(wrong, 0);
}

static json_t *find_limit(json_t *root, const char *kind, const char *name)
{
	size_t i;
	json_t *limit;
	json_array_foreach(live_member(root, "slots.limits"), i, limit)
	{
		if (strcmp(live_text(limit, "kind"), kind) == 0 &&
			strcmp(live_text(limit, "name"), name) == 0)
			return limit;
	}
	fail_msg("no limit of %s %s: %s", kind, name, json_dumps(root, JSON_INDENT(1)));
	return NULL;
}

static void check_limit(json_t *root, const char *kind, const char *name, long limit, long used)
{
	json_t *found = find_limit(root, kind, name);
	if (limit < 0)
		assert_true(json_is_null(live_member(found, "limit")));
	else
		assert_int_equal(json_integer_value(live_member(found, "limit")), limit);
	assert_int_equal(json_integer_value(live_member(found, "used")), used);
}

/* The limits of roles and databases, and what is used of them. */
static void limits_of_roles_and_databases_are_counted(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *way = live_conninfo(server, LIVE_TCP4, "user=narrow dbname=small");
	live_client(way, "idle", "3", NULL);
	live_wait_sessions(server, "usename = 'narrow'", 3, 20000);
	json_t *root = live_dbtop_json(NULL, as_super(), NULL);
	check_limit(root, "role", "narrow", 4, 3);
	check_limit(root, "database", "small", 5, 3);
	check_limit(root, "role", "postgres", -1, 1);
	check_limit(root, "database", "postgres", -1, 1);
	json_decref(root);
	struct live_run run = live_dbtop("--once", as_super(), NULL);
	if (!strstr(run.out,
		    "limits   role narrow: 3 of 4 connections, 1 left\n"
		    "         database small: 3 of 5 connections, 2 left\n"))
		fail_msg("%s", run.out);
	live_run_clear(&run);
}

static void make_database(void)
{
	live_sql(server, "CREATE DATABASE small CONNECTION LIMIT 5");
}

int main(void)
{
	static const char *const settings[] = { "max_connections=20", NULL };
	const struct CMUnitTest tests[] = {
		LIVE_TEST(only_what_was_looked_at_is_clean),
		LIVE_TEST(limits_of_roles_and_databases_are_counted),
	};
	return LIVE_GROUP("findings", tests, .settings = settings, .wide = true,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE plain LOGIN;"
		       " CREATE ROLE narrow LOGIN CONNECTION LIMIT 4",
		.set_up = make_database);
}
