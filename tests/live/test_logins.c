/* Connections that stop in the midst of logging in hold slots, and PostgreSQL before version 18
 * shows none of them. */
#include "live_group.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define MAX_CONNECTIONS 30
#define RESERVED        3
#define MOST            20

static int half_open[MOST];
static size_t n_half_open;

static int connect_tcp(void)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)private_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int connect_unix(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%d",
		private_server_folder(server), private_server_port(server));
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Logs in as far as the server's question for a password, which is not answered. */
static void begin_login(int fd)
{
	static const char startup[] = "\0\0\0\44\0\3\0\0user\0app\0database\0postgres\0";
	char answer;
	assert_int_equal(startup[3], (int)sizeof(startup));
	assert_int_equal(write(fd, startup, sizeof(startup)), (int)sizeof(startup));
	assert_int_equal(read(fd, &answer, 1), 1);
	assert_int_equal(answer, 'R');
	half_open[n_half_open++] = fd;
}

/* A backend gives its slot back before its end of the socket closes. */
static int close_half_open(void **state)
{
	for (size_t i = 0; i < n_half_open; i++)
		shutdown(half_open[i], SHUT_WR);
	while (n_half_open > 0) {
		char bytes[256];
		int fd = half_open[--n_half_open];
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
		close(fd);
	}
	return live_group_clean_up(state);
}

static long number(json_t *root, const char *path)
{
	return json_integer_value(live_member(root, path));
}

static void check_slots(json_t *root, long logins)
{
	/* the one session is dbtop's own */
	if (number(root, "slots.logging_in") != logins ||
		number(root, "slots.used_at_most") != logins + 1 ||
		number(root, "slots.free_at_least") != MAX_CONNECTIONS - RESERVED - 1 - logins)
		fail_msg("%ld logins: %s", logins, json_dumps(root, JSON_INDENT(1)));
}

/* Version 18 shows them as rows: their slots are known to be in use. */
static bool shows_logins(json_t *root)
{
	return number(root, "server.version") >= 180000;
}

static void check_process(json_t *root, long count)
{
	json_t *login = live_find_number(root, "logging_in", "process.pid", getpid());
	if (!login || number(login, "count") != count)
		fail_msg("not found: %s", json_dumps(root, JSON_INDENT(1)));
	assert_non_null(live_find_number(root, "processes", "pid", getpid()));
}

static void they_are_counted_and_their_process_is_named(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4 };
	for (size_t i = 0; i < 12; i++)
		begin_login(i < 8 ? connect_tcp() : connect_unix());
	for (size_t i = 0; i < 2; i++) {
		json_t *root = live_dbtop_json(NULL, live_group_conninfo(routes[i], NULL), NULL);
		check_slots(root, 12);
		if (!shows_logins(root))
			assert_true(json_is_null(live_member(root, "slots.used")));
		check_process(root, 12);
		json_decref(root);
		live_wait_dbtops_gone(server);
	}
	struct live_run run = live_dbtop("--once", live_group_conninfo(LIVE_UNIX, NULL), NULL);
	if (!strstr(run.out, "12 connections not logged in: ") || !strstr(run.out, "14 free"))
		fail_msg("%s", run.out);
	live_run_clear(&run);
}

/* A role that sees no other role's session, on a machine whose processes it may see. */
static void a_plain_role_learns_of_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < 5; i++)
		begin_login(connect_tcp());
	json_t *root = live_dbtop_json(NULL, live_group_conninfo(LIVE_TCP4, "user=plain"), NULL);
	if (!shows_logins(root)) {
		check_slots(root, 5);
		check_process(root, 5);
	} else {
		/* hidden rows, each a slot */
		assert_int_equal(number(root, "slots.used_at_most"), 6);
	}
	json_decref(root);
}

/* Another user of this machine sees no process, but the sockets. */
static void another_user_counts_them(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4 };
	for (size_t i = 0; i < 2; i++) {
		for (size_t n = 0; n < 4; n++)
			begin_login(i == 0 ? connect_unix() : connect_tcp());
		const struct live_program_options options = { .unprivileged = true };
		struct live_program *dbtop = live_dbtop_start(
			&options, "--json", live_group_conninfo(routes[i], "user=postgres"), NULL);
		live_finish(dbtop, 60000);
		json_t *root = live_last_json(dbtop, NULL);
		if (!root)
			fail_msg("%s", live_err(dbtop));
		check_slots(root, 4);
		json_decref(root);
		close_half_open(state);
	}
}

/* On a full server the processes that hold the sockets are known, logged in or not. */
static void on_a_full_server_their_process_is_named(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *way = live_conninfo(server, LIVE_TCP4, "user=app");
	live_client(way, "idle", "20", NULL);
	live_wait_sessions(server, "usename = 'app'", 20, 30000);
	for (size_t i = 0; i < MAX_CONNECTIONS - RESERVED - 20; i++)
		begin_login(i % 2 ? connect_tcp() : connect_unix());
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4 };
	for (size_t i = 0; i < 2; i++) {
		int status;
		json_t *root = live_dbtop_json(
			&status, live_group_conninfo(routes[i], "user=plain"), NULL);
		json_t *process = live_find_number(root, "processes", "pid", getpid());
		if (!process || strcmp(live_text(root, "server.status"), "full") != 0)
			fail_msg("%s", json_dumps(root, JSON_INDENT(1)));
		assert_true(number(process, "connections") > 0);
		assert_true(json_is_null(live_member(root, "slots.logging_in")));
		assert_true(json_is_null(live_member(root, "logging_in")));
		assert_int_equal(status, 3);
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			they_are_counted_and_their_process_is_named, close_half_open),
		cmocka_unit_test_teardown(a_plain_role_learns_of_them, close_half_open),
		cmocka_unit_test_teardown(another_user_counts_them, close_half_open),
		cmocka_unit_test_teardown(on_a_full_server_their_process_is_named, close_half_open),
	};
	CLEANUP(cleanup_free)
	char *hba = live_file(live_folder(), "hba.conf",
		"local all all scram-sha-256\nhost all all all scram-sha-256\n");
	CLEANUP(cleanup_free) char *setting = mem_printf("hba_file=%s", hba);
	CLEANUP(cleanup_free) char *slots = mem_printf("max_connections=%d", MAX_CONNECTIONS);
	/* a slow machine must not run into the server's own limit of a login */
	return LIVE_GROUP("logins", tests, .wide = true,
		.settings =
			(const char *const[]){ slots, setting, "authentication_timeout=600", NULL },
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE plain LOGIN");
}
