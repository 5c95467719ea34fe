/* Server and applications in network namespaces of their own: each process is found, and each
 * killed client is proven gone, or it is not known; never wrong. */
#include "places.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cables.h"
#include "guests.h"

static void each_process_is_found(void **state)
{
	(void)state;
	struct live_program *clients[PLACES];
	for (size_t i = 0; i < PLACES; i++)
		clients[i] = start_at(&places[i], false, "idle");
	for (enum way way = 0; way < WAYS; way++) {
		json_t *root = live_dbtop_json(NULL, way_to_server(way), NULL);
		for (size_t i = 0; i < PLACES; i++) {
			json_t *row = row_of(root, places[i].name);
			check_text(row, "process.matched_by", places[i].matched_by);
			check_text(row, "client_end", "held");
			assert_int_equal(json_integer_value(live_member(row, "process.pid")),
				live_pid(clients[i]));
			bool elsewhere = places[i].home != MACHINE;
			assert_true(json_is_integer(live_member(
					    row, "process.network_namespace")) == elsewhere);
		}
		json_decref(root);
	}
}

/* --- proofs --- */

static bool is_row(json_t *root, const char *name, const char *member, const char *value)
{
	json_t *row = live_find_text(root, "connections", "application_name", name);
	const char *found = row ? live_text(row, member) : NULL;
	return found && strcmp(found, value) == 0;
}

static bool is_held(json_t *root, void *data)
{
	return is_row(root, data, "client_end", "held");
}

static bool is_gone(json_t *root, void *data)
{
	return is_row(root, data, "reason", "client_gone") &&
		is_row(root, data, "certainty", "proven");
}

static bool all_are_held(json_t *root, void *data)
{
	(void)data;
	for (size_t i = 0; i < PLACES; i++)
		if (!is_held(root, (void *)places[i].name))
			return false;
	return true;
}

static struct live_program *follow(enum way way)
{
	return live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2", way_to_server(way), NULL);
}

static bool is_by_socat(json_t *root, void *data)
{
	(void)data;
	return is_row(root, "strange", "process.name", "socat");
}

/* Whoever runs a forwarder decides what it does: nobody's does not make root's process the one that
 * an emergency stops. */
static void a_strangers_forwarder_proves_nothing(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *more = mem_printf("user=app application_name=strange port=%d", STRANGERS);
	struct live_program *client = start_client(0, false, by_address("127.0.0.1", more), "idle");
	struct live_program *dbtop = follow(OVER_ADDRESS);
	json_t *root = live_await_json(dbtop, is_by_socat, NULL, "the forwarder", 20000);
	json_t *row = row_of(root, "strange");
	check_text(row, "process.matched_by", "tcp");
	if (!live_find_number(live_member(row, "process"), "may_be", "pid", live_pid(client)))
		fail_msg("not among them: %s", json_dumps(row, JSON_INDENT(1)));
	json_decref(root);
}

static void await(struct live_program *dbtop, bool (*holds)(json_t *root, void *data),
	const char *name, const char *what)
{
	json_decref(live_await_json(dbtop, holds, (void *)name, what, 60000));
}

static void killed_clients_are_proven_gone(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		struct live_program *clients[PLACES];
		for (size_t i = 0; i < PLACES; i++)
			clients[i] = start_at(&places[i], false, "active");
		struct live_program *dbtop = follow(way);
		await(dbtop, all_are_held, NULL, "all are held");
		/* dbtop searches every few seconds: all at once */
		for (size_t i = 0; i < PLACES; i++)
			live_signal(clients[i], SIGKILL);
		for (size_t i = 0; i < PLACES; i++)
			if (!places[i].kept)
				await(dbtop, is_gone, places[i].name, places[i].name);
		/* and by a dbtop that sees them for the first time */
		json_t *root = live_dbtop_json(NULL, way_to_server(way), NULL);
		for (size_t i = 0; i < PLACES; i++)
			check_text(row_of(root, places[i].name), "reason",
				places[i].kept ? NULL : "client_gone");
		json_decref(root);
		live_group_clean_up(state);
	}
}

/* The namespace appears with the client, while dbtop runs, and goes with it. */
static void a_client_is_gone_with_its_namespace(void **state)
{
	(void)state;
	struct live_program *dbtop = follow(OVER_ADDRESS);
	await(dbtop, is_held, "dbtop", "dbtop's own session");
	for (int round = 0; round < 2; round++) {
		struct live_program *holder = start_holder(true);
		cables_lay(holder, 2);
		struct live_program *client = start_client(live_pid(holder), false,
			by_address(server_address, "user=app application_name=brief"), "active");
		await(dbtop, is_held, "brief", "the new client is held");
		live_free(holder);
		live_signal(client, SIGKILL);
		await(dbtop, is_gone, "brief", "the client is gone");
		live_sql(server,
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			" WHERE application_name = 'brief'");
		live_wait_sessions(server, "application_name = 'brief'", 0, 30000);
		/* it goes only after its last process */
		live_shell("while ip link show cable2 2>/dev/null >&2; do sleep 0.05; done");
	}
}

/* Another namespace has the client's address, too: which of the two it is cannot be told. */
static void an_ambiguous_address_is_not_matched(void **state)
{
	(void)state;
	struct live_program *twin = start_holder(true);
	CLEANUP(cleanup_free)
	char *script = mem_printf("nsenter -n -t %d ip addr add %s/32 dev lo", (int)live_pid(twin),
		application_address);
	live_shell(script);
	struct live_program *client = start_at(&places[0], false, "active");
	for (int alive = 1; alive >= 0; alive--) {
		for (enum way way = 0; way < WAYS; way++) {
			json_t *root = live_dbtop_json(NULL, way_to_server(way), NULL);
			json_t *row = row_of(root, places[0].name);
			assert_true(json_is_null(live_member(row, "process")));
			check_text(row, "reason", NULL);
			json_decref(root);
		}
		live_signal(client, SIGKILL);
		(void)live_finish(client, 20000);
	}
}

static bool all_are_gone_for_users(json_t *root, void *data)
{
	(void)data;
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].user_proves && !is_gone(root, (void *)places[i].name))
			return false;
	return true;
}

static bool all_are_held_for_the_user(json_t *root, void *data)
{
	(void)data;
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].users && !is_held(root, (void *)places[i].name))
			return false;
	return true;
}

static bool is_hidden(json_t *root, void *data)
{
	return is_row(root, data, "client_end", "not_visible");
}

/* dbtop as the applications' user, and as a stranger, who sees no process, but the sockets of the
 * machine's namespace: each connection is right or not known, also when its client is killed. */
static void others_see_what_they_may(void **state)
{
	(void)state;
	struct live_program *clients[PLACES];
	for (size_t i = 0; i < PLACES; i++)
		clients[i] = start_at(&places[i], true, "active");
	struct live_program *dbtops[] = { follow_as("nobody"), follow_as("daemon") };
	json_t *roots[] = {
		live_await_json(dbtops[0], all_are_held_for_the_user, NULL, "all are held", 60000),
		live_await_json(dbtops[1], is_hidden, (void *)"machine", "it is hidden", 60000),
	};
	for (size_t i = 0; i < PLACES; i++) {
		json_t *row = row_of(roots[0], places[i].name);
		check_text(row, "process.matched_by", places[i].users);
		if (places[i].users)
			assert_int_equal(json_integer_value(live_member(row, "process.pid")),
				live_pid(clients[i]));
		check_text(row_of(roots[1], places[i].name), "process.matched_by", NULL);
		live_signal(clients[i], SIGKILL);
	}
	for (size_t k = 0; k < 2; k++) {
		json_decref(roots[k]);
		json_t *root =
			live_await_json(dbtops[k], all_are_gone_for_users, NULL, "gone", 60000);
		for (size_t i = 0; i < PLACES; i++)
			check_text(row_of(root, places[i].name), "reason",
				places[i].user_proves ? "client_gone" : NULL);
		json_decref(root);
	}
}

/* Without root the kernel does not show which addresses are translated: dbtop says so. */
static void what_is_translated_is_not_visible_to_a_user(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *published = mem_printf("user=app port=%d", PUBLISHED);
	struct live_program *client = start_client(0, true,
		by_address("127.0.0.1", "user=app application_name=hidden port=15432"), "idle");
	const struct live_program_options options = { .unprivileged = true };
	struct live_program *dbtop =
		live_dbtop_start(&options, "--json", by_address("127.0.0.1", published), NULL);
	(void)live_finish(dbtop, 60000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("dbtop as nobody: %s", live_err(dbtop));
	json_t *source = live_find_text(root, "sources", "name", "peers");
	const char *error = source ? live_text(source, "error") : NULL;
	if (!error || !strstr(error, "(published ports) are not visible: that needs root"))
		fail_msg("not said: %s", json_dumps(root, JSON_INDENT(1)));
	json_t *row = row_of(root, "hidden");
	assert_true(json_is_null(live_member(row, "process")));
	check_text(row, "reason", NULL);
	json_decref(root);
	live_free(client);
}

/* --- actions --- */

static bool is_target(json_t *root, long pid)
{
	return live_find_number(root, "targets", "pid", pid) != NULL;
}

/* A forwarder of a name that dbtop does not know, in a namespace of its own: it is known by its
 * bytes. */
static void the_emergency_stops_applications_but_no_forwarder(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *relay = mem_printf("%s/carrier", live_folder());
	CLEANUP(cleanup_free)
	char *copy = mem_printf("cp $(command -v socat) %s && chmod 755 %s", relay, relay);
	live_shell(copy);
	CLEANUP(cleanup_free)
	char *to = mem_printf("TCP:%s:%d", server_address, private_server_port(server));
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", (int)live_pid(in_application));
	struct live_program *carrier = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "nsenter", "-n", "-t", pid, relay,
			"TCP-LISTEN:7000,reuseaddr,bind=127.0.0.1", to, NULL } });
	CLEANUP(cleanup_free)
	char *listens = mem_printf("until nsenter -n -t %s ss -Hltn sport = 7000 | grep -q .; do"
				   " sleep 0.05; done",
		pid);
	live_shell(listens);
	start_client(live_pid(in_application), false,
		by_address("127.0.0.1", "user=app application_name=behind port=7000"), "idle");
	struct live_program *clients[PLACES];
	for (size_t i = 0; i < PLACES; i++)
		clients[i] = start_at(&places[i], false, "idle");
	struct live_program *dbtop = live_dbtop_start(
		NULL, "--emergency", "--dry-run", "--json", way_to_server(OVER_ADDRESS), NULL);
	(void)live_finish(dbtop, 60000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("no plan: %s", live_err(dbtop));
	for (size_t i = 0; i < PLACES; i++)
		if (!is_target(root, live_pid(clients[i])))
			fail_msg("%s is not stopped: %s", places[i].name,
				json_dumps(root, JSON_INDENT(1)));
	if (is_target(root, live_pid(carrier)) || is_target(root, live_pid(forwarder)) ||
		is_target(root, live_pid(balancer)))
		fail_msg("the forwarder is stopped: %s", json_dumps(root, JSON_INDENT(1)));
	json_decref(root);
}

/* Another namespace with the machine's address. */
static struct live_program *start_twin(void)
{
	struct live_program *twin = start_holder(true);
	CLEANUP(cleanup_free)
	char *script = mem_printf(
		"nsenter -n -t %d ip addr add %s.1/32 dev lo", (int)live_pid(twin), cables_net());
	live_shell(script);
	return twin;
}

/* Whether dbtop has read the server's rows several times since the command's session began. The
 * session that asks must be older: dbtop scans for each new one. */
static bool has_looked(void *conn)
{
	return live_number(conn,
		       "SELECT count(*) FROM pg_stat_activity d, pg_stat_activity t"
		       " WHERE d.application_name = 'dbtop' AND t.application_name = 'tested'"
		       " AND d.query_start > t.backend_start + interval '2 s'") > 0;
}

/* The command's connection leads through a published port, or a forwarder: its session is found all
 * the same. The forwarder's is not at first: another namespace has the machine's address, too. */
static void a_shutdown_test_works_through_a_port_of_the_machine(void **state)
{
	(void)state;
	static const int ports[] = { PUBLISHED, FORWARDED };
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct live_program *twin = ports[i] == FORWARDED ? start_twin() : NULL;
		PGconn *conn = live_connect(live_group_conninfo(LIVE_UNIX, NULL));
		CLEANUP(cleanup_free)
		char *port = mem_printf("user=app application_name=tested port=%d", ports[i]);
		struct live_program *dbtop = live_dbtop_start(NULL, "--shutdown-test", "--json",
			"--signal", "TERM", "--ready-timeout", "300", "-i", "0.1",
			way_to_server(OVER_PORT), "--", live_client_path(),
			by_address("127.0.0.1", port), "idle", NULL);
		if (twin)
			assert_true(live_wait(has_looked, conn, 60000));
		live_free(twin);
		int status = live_finish(dbtop, 120000);
		json_t *root = live_last_json(dbtop, NULL);
		if (!root)
			fail_msg("status %d: %s", status, live_err(dbtop));
		check_text(root, "verdict", "pass");
		check_text(root, "behaviour", "died_unclosed");
		assert_int_equal(json_integer_value(live_member(root, "connections_before")), 1);
		json_decref(root);
		live_disconnect(conn);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* root's */
		LIVE_TEST(each_process_is_found),
		LIVE_TEST(a_strangers_forwarder_proves_nothing),
		LIVE_TEST(killed_clients_are_proven_gone),
		LIVE_TEST(a_client_is_gone_with_its_namespace),
		LIVE_TEST(an_ambiguous_address_is_not_matched),
		LIVE_TEST(others_see_what_they_may),
		LIVE_TEST(what_is_translated_is_not_visible_to_a_user),
		LIVE_TEST(nothing_is_wrong_while_clients_come_and_go),
		LIVE_TEST(the_emergency_stops_applications_but_no_forwarder),
		LIVE_TEST(a_shutdown_test_works_through_a_port_of_the_machine),
	};
	CLEANUP(cleanup_free)
	char *hba = live_file(live_folder(), "hba.conf",
		"local all all scram-sha-256\nhost all all all scram-sha-256\n");
	CLEANUP(cleanup_free) char *setting = mem_printf("hba_file=%s", hba);
	if (!places_enter())
		return 1;
	return LIVE_GROUP("networks", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=60", setting,
			"listen_addresses=*", NULL },
		.sql = "CREATE ROLE app LOGIN", .set_up = places_set_up,
		.root_tests = sizeof(tests) / sizeof(tests[0]));
}
