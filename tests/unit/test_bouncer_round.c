/* collect/bouncer_round: PgBouncer's answers, of several versions, torn and strange ones, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <string.h>

#include "collect/bouncer_round.h"
#include "model/bouncer.h"

#define COLUMNS_MAX 32

/* "a|b|c" names the columns, each further line is a row. */
static PGresult *table(const char *columns, const char *const *rows, size_t n_rows)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc attributes[COLUMNS_MAX] = { 0 };
	char names[1024];
	int n = 0;
	strcpy(names, columns);
	for (char *rest = names, *name; (name = strsep(&rest, "|"));)
		attributes[n++].name = name;
	assert_true(PQsetResultAttrs(result, n, attributes));
	for (size_t row = 0; row < n_rows; row++) {
		char cells[1024];
		int column = 0;
		strcpy(cells, rows[row]);
		for (char *rest = cells, *cell; (cell = strsep(&rest, "|")); column++)
			assert_true(PQsetvalue(result, (int)row, column, cell, (int)strlen(cell)));
	}
	return result;
}

static const char client_columns[] =
	"type|user|database|state|addr|port|local_addr|local_port|connect_time|wait|wait_us|ptr|"
	"link|remote_pid|application_name";
static const char server_columns[] = "type|user|database|state|addr|port|local_addr|local_port|"
				     "ptr|link|remote_pid";

struct answers {
	const char *before[4], *servers[4], *after[4];
	const char *clients; /* the columns; NULL: as 1.18 has them */
};

static size_t length(const char *const rows[4])
{
	size_t n = 0;
	while (n < 4 && rows[n])
		n++;
	return n;
}

static bool take(struct bouncer_round *round, PGresult *result, int64_t at)
{
	bool taken = bouncer_round_take(round, result, at);
	PQclear(result);
	return taken;
}

static struct bouncer *run(
	const struct answers *answers, struct bouncer_sightings *sightings, int64_t now)
{
	static const char *const databases[] = { "shop|10.0.0.1|5432|app|pool|3|0|0" };
	static const char *const stats[] = { "shop|1200" };
	static const char *const pools[] = { "shop|pool|2|1|1|0|1|0|0|1|500000|transaction",
		"pgbouncer|pgbouncer|1|0|0|0|0|0|0|0|0|statement" };
	static const char *const lists[] = { "used_clients|7", "free_clients|43" };
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	struct endpoint own = endpoint_make(AF_INET, &loopback, 40000);
	struct endpoint address = endpoint_make(AF_INET, &loopback, 6432);
	struct bouncer_round *round = bouncer_round_new(&own, &address, 4711);
	const char *clients = answers->clients ? answers->clients : client_columns;
	assert_true(take(round,
		table("name|host|port|database|force_user|pool_size|paused|disabled", databases, 1),
		100));
	assert_true(take(round, table("database|avg_wait_time", stats, 1), 101));
	assert_true(take(round,
		table("database|user|cl_active|cl_waiting|sv_active|sv_idle|sv_used|sv_tested|"
		      "sv_login|maxwait|maxwait_us|pool_mode",
			pools, 2),
		102));
	assert_true(take(round, table("list|items", lists, 2), 103));
	assert_true(take(round, table(clients, answers->before, length(answers->before)), 104));
	assert_true(take(
		round, table(server_columns, answers->servers, length(answers->servers)), 105));
	assert_true(take(round, table(clients, answers->after, length(answers->after)), 106));
	struct bouncer *bouncer = bouncer_round_finish(round, sightings, now);
	bouncer_round_free(round);
	return bouncer;
}

#define CLIENT_A "C|app|shop|active|127.0.0.1|5001|127.0.0.1|6432|T1|0|9|0xa|"
#define SERVER_S "S|pool|shop|active|10.0.0.1|5432|10.0.0.7|7001|0x5|"

static struct bouncer *run_once(const struct answers *answers)
{
	struct bouncer_sightings *sightings = bouncer_sightings_new();
	struct bouncer *bouncer = run(answers, sightings, 200);
	bouncer_sightings_free(sightings);
	return bouncer;
}

static void a_link_that_all_answers_name_counts(void **state)
{
	(void)state;
	struct bouncer *bouncer = run_once(&(struct answers){
		.before = { CLIENT_A "0x5|0|web" },
		.servers = { SERVER_S "0xa|9912" },
		.after = { CLIENT_A "0x5|0|web" },
	});
	assert_int_equal(bouncer->n_pools, 1);
	assert_int_equal(bouncer->pools[0].servers_max, 3);
	assert_int_equal(bouncer->pools[0].max_wait, 1500000);
	assert_int_equal(bouncer->pools[0].average_wait, 1200);
	assert_int_equal(bouncer->pools[0].mode, POOL_MODE_TRANSACTION);
	assert_int_equal(bouncer->used_clients, 7);
	assert_int_equal(bouncer->asked_at, 100);
	assert_int_equal(bouncer->servers_at, 105);
	assert_int_equal(bouncer->n_clients, 1);
	assert_int_equal(bouncer->clients[0].server, 0);
	assert_int_equal(bouncer->clients[0].wait, -1);
	assert_int_equal(bouncer->clients[0].remote.port, 5001);
	assert_int_equal(bouncer->servers[0].client, 0);
	assert_int_equal(bouncer->servers[0].backend_pid, 9912);
	assert_string_equal(bouncer->servers[0].real_database, "app");
	assert_int_equal(bouncer->servers[0].pool, 0);
	bouncer_unref(bouncer);
}

static void a_link_that_moves_is_dropped(void **state)
{
	(void)state;
	static const struct answers moving[] = {
		/* unlinked before, in the midst, after */
		{ { CLIENT_A "|0|web" }, { SERVER_S "0xa|9912" }, { CLIENT_A "0x5|0|web" }, NULL },
		{ { CLIENT_A "0x5|0|web" }, { SERVER_S "|9912" }, { CLIENT_A "0x5|0|web" }, NULL },
		{ { CLIENT_A "0x5|0|web" }, { SERVER_S "0xa|9912" }, { CLIENT_A "|0|web" }, NULL },
		/* another client had the server meanwhile */
		{ { CLIENT_A "0x5|0|web" }, { SERVER_S "0xb|9912" }, { CLIENT_A "0x5|0|web" },
			NULL },
		/* the same ptr, another session */
		{ { "C|app|shop|active|127.0.0.1|5002|127.0.0.1|6432|T1|0|9|0xa|0x5|0|web" },
			{ SERVER_S "0xa|9912" }, { CLIENT_A "0x5|0|web" }, NULL },
		/* there was nobody before */
		{ { NULL }, { SERVER_S "0xa|9912" }, { CLIENT_A "0x5|0|web" }, NULL },
		/* the server is gone */
		{ { CLIENT_A "0x5|0|web" }, { NULL }, { CLIENT_A "0x5|0|web" }, NULL },
	};
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
		struct bouncer *bouncer = run_once(&moving[i]);
		for (size_t client = 0; client < bouncer->n_clients; client++)
			assert_int_equal(bouncer->clients[client].server, BOUNCER_NONE);
		for (size_t server = 0; server < bouncer->n_servers; server++)
			assert_int_equal(bouncer->servers[server].client, BOUNCER_NONE);
		bouncer_unref(bouncer);
	}
}

/* An id tells two sessions apart that have all else in common. */
static void an_id_is_preferred(void **state)
{
	(void)state;
	static const char columns[] = "type|user|database|state|addr|port|local_addr|local_port|"
				      "connect_time|wait|wait_us|ptr|link|remote_pid|"
				      "application_name|prepared_statements|id";
	struct answers answers = { { CLIENT_A "0x5|0|web|0|1" }, { SERVER_S "0xa|9912" },
		{ CLIENT_A "0x5|0|web|0|1" }, columns };
	struct bouncer *bouncer = run_once(&answers);
	assert_int_equal(bouncer->clients[0].server, 0);
	bouncer_unref(bouncer);
	answers.after[0] = CLIENT_A "0x5|0|web|0|2";
	bouncer = run_once(&answers);
	assert_int_equal(bouncer->clients[0].server, BOUNCER_NONE);
	bouncer_unref(bouncer);
}

static void who_waits_is_kept_and_first_sightings_last(void **state)
{
	(void)state;
	struct bouncer_sightings *sightings = bouncer_sightings_new();
	struct answers idle = {
		.after = { "C|app|shop|active|unix|6432|unix|6432|T1|3|0|0xc||77|x" }
	};
	struct bouncer *bouncer = run(&idle, sightings, 200);
	/* `wait` of one that does not wait is of the past */
	assert_int_equal(bouncer->n_clients, 0);
	bouncer_unref(bouncer);
	struct answers waits = {
		.after = { "C|app|shop|waiting|unix|6432|unix|6432|T1|3|250000|0xc||77|x" }
	};
	bouncer = run(&waits, sightings, 300);
	assert_int_equal(bouncer->n_clients, 1);
	assert_int_equal(bouncer->clients[0].wait, 3250000);
	assert_int_equal(bouncer->clients[0].remote.family, AF_UNIX);
	assert_int_equal(bouncer->clients[0].remote_pid, 77);
	assert_int_equal(bouncer->clients[0].first_seen, 200);
	assert_int_equal(bouncer->clients[0].pool, 0);
	bouncer_unref(bouncer);
	bouncer_sightings_free(sightings);
}

static void our_own_row_proves_the_addresses(void **state)
{
	(void)state;
	struct bouncer *bouncer =
		run_once(&(struct answers){ .after = { "C|stats|pgbouncer|active|127.0.0.1|40000|"
						       "127.0.0.1|6432|T1|0|0|0xd||0|dbtop" } });
	assert_true(bouncer->seen_as_we_are);
	assert_int_equal(bouncer->n_clients, 0);
	bouncer_unref(bouncer);
	bouncer =
		run_once(&(struct answers){ .after = { "C|stats|pgbouncer|active|172.17.0.1|40000|"
						       "127.0.0.1|6432|T1|0|0|0xd||0|dbtop" } });
	assert_false(bouncer->seen_as_we_are);
	bouncer_unref(bouncer);
}

/* The columns as each version's console has them, by its documentation and changelog. */
static const struct version {
	const char *name, *databases, *stats, *pools, *clients, *servers;
} versions[] = {
	{ "1.18",
		"name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool|pool_mode|"
		"max_connections|current_connections|paused|disabled",
		"database|total_xact_count|avg_xact_time|avg_query_time|avg_wait_time",
		"database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|"
		"sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|"
		"maxwait|maxwait_us|pool_mode",
		"type|user|database|state|addr|port|local_addr|local_port|connect_time|"
		"request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name",
		"type|user|database|state|addr|port|local_addr|local_port|connect_time|"
		"request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name" },
	{ "1.21",
		"name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool|"
		"server_lifetime|pool_mode|max_connections|current_connections|paused|disabled",
		"database|total_server_assignment_count|total_xact_count|avg_wait_time|"
		"avg_server_assignment_count",
		"database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|"
		"sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|"
		"maxwait|maxwait_us|pool_mode",
		"type|user|database|state|addr|port|local_addr|local_port|connect_time|"
		"request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name|"
		"prepared_statements",
		"type|user|database|state|addr|port|local_addr|local_port|connect_time|"
		"request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name|"
		"prepared_statements" },
	{ "1.23",
		"name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool_size|"
		"server_lifetime|pool_mode|max_connections|current_connections|paused|disabled",
		"database|total_server_assignment_count|total_xact_count|avg_wait_time|"
		"avg_server_assignment_count",
		"database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|"
		"sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|"
		"maxwait|maxwait_us|pool_mode",
		"type|user|database|replication|state|addr|port|local_addr|local_port|"
		"connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|"
		"application_name|prepared_statements",
		"type|user|database|replication|state|addr|port|local_addr|local_port|"
		"connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|"
		"application_name|prepared_statements" },
	{ "1.24",
		"name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool_size|"
		"server_lifetime|pool_mode|load_balance_hosts|max_connections|"
		"current_connections|max_client_connections|current_client_connections|paused|"
		"disabled",
		"database|total_server_assignment_count|total_xact_count|"
		"total_client_parse_count|avg_wait_time|avg_client_parse_count|avg_bind_count",
		"database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|"
		"sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|"
		"maxwait|maxwait_us|pool_mode|load_balance_hosts",
		"type|user|database|replication|state|addr|port|local_addr|local_port|"
		"connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|"
		"application_name|prepared_statements|id",
		"type|user|database|replication|state|addr|port|local_addr|local_port|"
		"connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|"
		"application_name|prepared_statements|id" },
	/* the order of the rows is not defined */
	{ "one to come", "disabled|paused|pool_size|news|force_user|database|name",
		"news|avg_wait_time|database",
		"pool_mode|news|maxwait_us|maxwait|sv_login|sv_tested|sv_used|sv_idle|sv_active|"
		"cl_waiting|cl_active|user|database",
		"news|id|application_name|remote_pid|link|ptr|wait_us|wait|connect_time|"
		"local_port|local_addr|port|addr|state|database|user",
		"news|id|remote_pid|link|ptr|local_port|local_addr|port|addr|database|user" },
};

struct cell {
	const char *column, *value;
};

/* The row in the columns' order; those that nobody asks for have a value, too. */
static PGresult *row_of(const char *columns, const struct cell *cells)
{
	char names[1024], row[1024] = "";
	strcpy(names, columns);
	for (char *rest = names, *name; (name = strsep(&rest, "|"));) {
		const char *value = "99";
		for (const struct cell *cell = cells; cell->column; cell++)
			if (strcmp(cell->column, name) == 0)
				value = cell->value;
		if (*row)
			strcat(row, "|");
		strcat(row, value);
	}
	return table(columns, (const char *const[]){ row }, 1);
}

static void columns_of_every_version_are_found(void **state)
{
	(void)state;
	static const struct cell database[] = { { "name", "shop" }, { "database", "app" },
		{ "force_user", "pool" }, { "pool_size", "3" }, { "paused", "1" },
		{ "disabled", "0" }, { NULL, NULL } };
	static const struct cell stats[] = { { "database", "shop" }, { "avg_wait_time", "1200" },
		{ NULL, NULL } };
	static const struct cell pool[] = { { "database", "shop" }, { "user", "pool" },
		{ "cl_active", "2" }, { "cl_waiting", "4" }, { "sv_active", "1" },
		{ "sv_idle", "5" }, { "sv_used", "1" }, { "sv_tested", "1" }, { "sv_login", "1" },
		{ "maxwait", "1" }, { "maxwait_us", "500000" }, { "pool_mode", "transaction" },
		{ NULL, NULL } };
	static const struct cell client[] = { { "user", "app" }, { "database", "shop" },
		{ "state", "active" }, { "addr", "127.0.0.1" }, { "port", "5001" },
		{ "local_addr", "127.0.0.1" }, { "local_port", "6432" }, { "connect_time", "T1" },
		{ "ptr", "0xa" }, { "link", "0x5" }, { "remote_pid", "0" },
		{ "application_name", "web" }, { "id", "17" }, { NULL, NULL } };
	static const struct cell server[] = { { "user", "pool" }, { "database", "shop" },
		{ "addr", "10.0.0.1" }, { "port", "5432" }, { "local_addr", "10.0.0.7" },
		{ "local_port", "7001" }, { "ptr", "0x5" }, { "link", "0xa" },
		{ "remote_pid", "9912" }, { NULL, NULL } };
	const struct endpoint nowhere = { 0 };
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const struct version *version = &versions[i];
		struct bouncer_sightings *sightings = bouncer_sightings_new();
		struct bouncer_round *round = bouncer_round_new(&nowhere, &nowhere, 1);
		assert_true(take(round, row_of(version->databases, database), 1));
		assert_true(take(round, row_of(version->stats, stats), 2));
		assert_true(take(round, row_of(version->pools, pool), 3));
		assert_true(take(round, table("list|items", NULL, 0), 4));
		assert_true(take(round, row_of(version->clients, client), 5));
		assert_true(take(round, row_of(version->servers, server), 6));
		assert_true(take(round, row_of(version->clients, client), 7));
		struct bouncer *bouncer = bouncer_round_finish(round, sightings, 8);
		bouncer_round_free(round);
		bouncer_sightings_free(sightings);
		assert_int_equal(bouncer->n_pools, 1);
		assert_int_equal(bouncer->pools[0].clients_active, 2);
		assert_int_equal(bouncer->pools[0].clients_waiting, 4);
		assert_int_equal(bouncer->pools[0].servers_idle, 5);
		assert_int_equal(bouncer->pools[0].servers_other, 3);
		assert_int_equal(bouncer->pools[0].servers_max, 3);
		assert_int_equal(bouncer->pools[0].max_wait, 1500000);
		assert_int_equal(bouncer->pools[0].average_wait, 1200);
		assert_int_equal(bouncer->pools[0].mode, POOL_MODE_TRANSACTION);
		assert_true(bouncer->pools[0].paused);
		assert_int_equal(bouncer->n_clients, 1);
		assert_string_equal(bouncer->clients[0].application_name, "web");
		assert_int_equal(bouncer->clients[0].remote.port, 5001);
		assert_int_equal(bouncer->clients[0].server, 0);
		assert_int_equal(bouncer->servers[0].client, 0);
		assert_int_equal(bouncer->servers[0].backend_pid, 9912);
		assert_string_equal(bouncer->servers[0].real_database, "app");
		bouncer_unref(bouncer);
	}
}

static void another_answer_is_refused(void **state)
{
	(void)state;
	const struct endpoint nowhere = { 0 };
	struct bouncer_round *round = bouncer_round_new(&nowhere, &nowhere, 1);
	assert_false(take(round, table("something|else", NULL, 0), 1));
	bouncer_round_free(round);
	round = bouncer_round_new(&nowhere, &nowhere, 1);
	assert_false(take(round, PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK), 1));
	bouncer_round_free(round);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_that_all_answers_name_counts),
		cmocka_unit_test(a_link_that_moves_is_dropped),
		cmocka_unit_test(an_id_is_preferred),
		cmocka_unit_test(who_waits_is_kept_and_first_sightings_last),
		cmocka_unit_test(our_own_row_proves_the_addresses),
		cmocka_unit_test(columns_of_every_version_are_found),
		cmocka_unit_test(another_answer_is_refused),
	};
	return cmocka_run_group_tests_name("bouncer_round", tests, NULL, NULL);
}
