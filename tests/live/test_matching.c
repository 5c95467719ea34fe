/* Which process is at the other end, and that nobody is taken for gone whom we cannot see. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const char *const matched_by[] = {
	[LIVE_UNIX] = "unix",
	[LIVE_TCP4] = "tcp",
	[LIVE_TCP6] = "tcp",
};

static void assert_text(json_t *object, const char *path, const char *expected)
{
	const char *found = live_text(object, path);
	if (expected ? !found || strcmp(found, expected) != 0 : found != NULL)
		fail_msg("%s is not %s: %s", path, expected ? expected : "null",
			json_dumps(object, JSON_INDENT(1)));
}

/* The application's connection: dbtop's own may be of the same user, and may come first. */
static json_t *of_app(json_t *root)
{
	size_t i;
	json_t *found;
	json_array_foreach(live_member(root, "connections"), i, found)
	{
		const char *user = live_text(found, "user");
		const char *name = live_text(found, "application_name");
		if (user && strcmp(user, "app") == 0 && (!name || strcmp(name, "dbtop") != 0))
			return found;
	}
	fail_msg("the application has no connection: %s", json_dumps(root, JSON_INDENT(1)));
	return NULL;
}

static void process_is_found_by_every_route(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROUTES; i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, routes[i], "user=app");
		struct live_program *client = live_client(app, "idle", NULL);
		pid_t pid = live_pid(client);
		json_t *root = live_dbtop_json(NULL, app, NULL);
		json_t *found = live_find_number(root, "connections", "process.pid", pid);
		assert_non_null(found);
		assert_text(found, "process.name", "live_client");
		assert_text(found, "process.matched_by", matched_by[routes[i]]);
		assert_non_null(strstr(live_text(found, "process.command"), " idle"));
		assert_text(found, "client_addr",
			routes[i] == LIVE_UNIX           ? NULL
				: routes[i] == LIVE_TCP4 ? "127.0.0.1"
							 : "::1");
		json_t *process = live_find_number(root, "processes", "pid", pid);
		assert_int_equal(json_integer_value(live_member(process, "connections")), 1);
		assert_true(json_is_true(live_member(process, "alive")));
		assert_true(json_integer_value(live_member(process, "rss_bytes")) > 0);
		json_decref(root);
		live_free(client);
		live_wait_sessions(server, NULL, 0, 10000);
	}
}

/* The snapshot of a dbtop that has no privilege on this machine. */
static json_t *unprivileged_json(const char *conninfo, int *ret_status)
{
	const struct live_program_options options = { .unprivileged = true };
	struct live_program *dbtop = live_dbtop_start(&options, "--json", conninfo, NULL);
	*ret_status = live_finish(dbtop, 30000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("dbtop as nobody: %s", live_err(dbtop));
	live_free(dbtop);
	return root;
}

/* A process that we may not look into: there, and not gone. */
static void hidden_process_is_not_gone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROUTES; i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, routes[i], "user=app");
		const struct live_program_options hidden = {
			.env = (const char *const[]){ "LIVE_CLIENT_HIDDEN=1", NULL },
		};
		struct live_program *client = live_client_with(&hidden, app, "active", NULL);
		int status;
		json_t *root = unprivileged_json(app, &status);
		json_t *found = of_app(root);
		assert_text(found, "status", "active");
		assert_true(json_is_null(live_member(found, "process")));
		assert_int_equal(status, 0);
		json_decref(root);
		live_free(client);
		live_group_clean_up(state);
	}
}

/* … and that a TCP socket is gone may be seen by anybody. */
static void gone_is_proven_without_privilege(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	live_free(live_client(app, "active", NULL));
	int status;
	json_t *root = unprivileged_json(app, &status);
	assert_text(
		live_find_text(root, "connections", "status", "leaked"), "reason", "client_gone");
	assert_int_equal(status, 1);
	json_decref(root);
}

/* --- namespaces --- */

/* The arguments of unshare(1): without root it needs a user namespace first. */
static const char *namespaces(const char *root, const char *user)
{
	return getuid() == 0 ? root : user;
}

static void nobody_is_gone(const char *flags, enum live_route ours)
{
	CLEANUP(cleanup_free) char *own = live_conninfo(server, ours, "user=app");
	const struct live_program_options options = {
		.argv = (const char *const[]){ "unshare", flags, live_dbtop_path(), "--json",
			"--count", "3", "-i", "0.2", own, NULL },
	};
	struct live_program *dbtop = live_start(&options);
	int status = live_finish(dbtop, 30000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("unshare %s: status %d, %s", flags, status, live_err(dbtop));
	assert_text(root, "server.status", "ok");
	json_t *leaked = live_find_text(root, "connections", "status", "leaked");
	if (leaked)
		fail_msg("unshare %s: %s", flags, json_dumps(leaked, JSON_INDENT(1)));
	assert_int_equal(json_integer_value(live_member(root, "slots.active")), ROUTES + 1);
	json_decref(root);
	live_free(dbtop);
}

/* dbtop in namespaces of its own sees no socket, or other pids: that proves nothing. */
static void nobody_is_gone_for_a_dbtop_in_a_container(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROUTES; i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, routes[i], "user=app");
		live_client(app, "active", NULL);
	}
	nobody_is_gone(namespaces("-n", "-Urn"), LIVE_UNIX);
	nobody_is_gone(namespaces("-fp", "-Urfp"), LIVE_UNIX);
	nobody_is_gone(namespaces("-fp", "-Urfp"), LIVE_TCP4);
	nobody_is_gone(namespaces("-nfp", "-Urnfp"), LIVE_UNIX);
}

static void client_in_another_namespace_is_not_gone(const char *conninfo)
{
	for (size_t i = 0; i < ROUTES; i++) {
		CLEANUP(cleanup_free) char *own = live_conninfo(server, routes[i], NULL);
		struct live_program *dbtop =
			live_dbtop_start(NULL, "--json", "--count", "3", "-i", "0.2", own, NULL);
		live_finish(dbtop, 30000);
		json_t *root = live_last_json(dbtop, NULL);
		if (!root)
			fail_msg("%s: %s", conninfo, live_err(dbtop));
		assert_text(of_app(root), "status", "active");
		assert_text(of_app(root), "reason", NULL);
		json_decref(root);
		live_free(dbtop);
	}
}

static void client_in_a_container_is_not_gone(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_UNIX, "user=app");
	const struct live_program_options options = {
		.argv = (const char *const[]){ "unshare", namespaces("-n", "-Urn"),
			live_client_path(), app, "active", NULL },
	};
	live_wait_out(live_start(&options), "ready\n", 20000);
	client_in_another_namespace_is_not_gone("a client over the socket's file");
}

/* Two ends of a cable: ours, and one in the client's namespace. It goes with the client. For
 * root alone: an ordinary user cannot lay one. */
static void client_behind_a_cable_is_not_gone(void **state)
{
	(void)state;
	int pid = getpid();
	CLEANUP(cleanup_free)
	char *app = mem_printf("host=198.18.%d.1 port=%d user=app dbname=postgres", pid % 256,
		private_server_port(server));
	CLEANUP(cleanup_free)
	char *script =
		mem_printf("n=%d\n"
			   "while ! ip link set dev dbt$n.b up; do sleep 0.05; done 2>/dev/null\n"
			   "ip addr add 198.18.%d.2/24 dev dbt$n.b\n"
			   "exec \"$@\"\n",
			pid % 100000, pid % 256);
	const struct live_program_options options = {
		.argv = (const char *const[]){ "unshare", "-n", "sh", "-c", script, "sh",
			live_client_path(), app, "active", NULL },
	};
	struct live_program *client = live_start(&options);
	CLEANUP(cleanup_free)
	char *lay =
		mem_printf("n=%d p=%d\n"
			   "while [ /proc/$p/ns/net -ef /proc/self/ns/net ]; do sleep 0.05; done\n"
			   "ip link add dbt$n.a type veth peer name dbt$n.b &&\n"
			   "ip addr add 198.18.%d.1/24 dev dbt$n.a && ip link set dbt$n.a up &&\n"
			   "ip link set dbt$n.b netns $p\n",
			pid % 100000, (int)live_pid(client), pid % 256);
	const struct live_program_options cable = {
		.argv = (const char *const[]){ "sh", "-c", lay, NULL },
	};
	struct live_run run = live_run(&cable, 20000);
	if (run.status != 0)
		fail_msg("no cable: %s", run.err);
	live_run_clear(&run);
	live_wait_out(client, "ready\n", 30000);
	client_in_another_namespace_is_not_gone("a client behind a cable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(process_is_found_by_every_route),
		LIVE_TEST(hidden_process_is_not_gone),
		LIVE_TEST(gone_is_proven_without_privilege),
		LIVE_TEST(nobody_is_gone_for_a_dbtop_in_a_container),
		LIVE_TEST(client_in_a_container_is_not_gone),
		/* root's */
		LIVE_TEST(client_behind_a_cable_is_not_gone),
	};
	CLEANUP(cleanup_free)
	char *hba = live_file(live_folder(), "hba.conf",
		"local all all scram-sha-256\nhost all all all scram-sha-256\n");
	CLEANUP(cleanup_free) char *setting = mem_printf("hba_file=%s", hba);
	return LIVE_GROUP("matching", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=60", setting,
			"listen_addresses=*", NULL },
		.sql = "CREATE ROLE app LOGIN", .root_tests = 1);
}
