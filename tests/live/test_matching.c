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

/* After a fork two processes have the socket: the older one is named. */
static void a_socket_of_two_processes_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROUTES; i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, routes[i], "user=app");
		struct live_program *client = live_client(app, "shared", NULL);
		json_t *root = live_dbtop_json(NULL, app, NULL);
		json_t *found =
			live_find_number(root, "connections", "process.pid", live_pid(client));
		assert_non_null(found);
		assert_int_equal(json_integer_value(live_member(found, "process.shared_by")), 2);
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

static json_t *named(json_t *root, const char *application)
{
	return live_find_text(root, "connections", "application_name", application);
}

static bool has_both(json_t *root, void *data)
{
	(void)data;
	const char *held = live_text(named(root, "held"), "process.matched_by");
	const char *gone = live_text(named(root, "gone"), "process.matched_by");
	return held && gone && strcmp(held, "tcp") == 0 && strcmp(gone, "tcp") == 0;
}

static bool is_one_gone(json_t *root, void *data)
{
	(void)data;
	const char *reason = live_text(named(root, "gone"), "reason");
	return reason && strcmp(reason, "client_gone") == 0;
}

/* dbtop has the server's sockets in its table, but none of the server's processes in its /proc:
 * both ends of its own connection are in the table, and that is proof enough. */
static void assert_proven(struct live_program *dbtop, void (*end)(void *data), void *data)
{
	json_decref(live_await_json(dbtop, has_both, NULL, "both processes", 30000));
	end(data);
	json_t *root = live_await_json(dbtop, is_one_gone, NULL, "one that is gone", 30000);
	assert_text(named(root, "gone"), "certainty", "proven");
	assert_text(named(root, "held"), "status", "idle");
	json_decref(root);
}

static void type_a_line(void *data)
{
	live_type(data, "\n");
}

/* Its applications are in its pid namespace; the server is not. */
static void beside_a_server_of_other_pids_the_table_is_proof(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	static const char script[] =
		"exec 3<&0; \"$1\" \"$3 application_name=held\" idle >/dev/null & "
		"\"$1\" \"$3 application_name=gone\" active >/dev/null & gone=$!; "
		"(read line <&3; kill -KILL $gone) & "
		"exec \"$2\" --json --follow -i 0.2 \"$3\"";
	CLEANUP(cleanup_free) char *client = live_built(live_client_path());
	const struct live_program_options options = {
		.argv = (const char *const[]){ "unshare", namespaces("-mfp", "-Urmfp"),
			"--mount-proc", "--kill-child", "sh", "-c", script, "sh", client,
			live_dbtop_path(), app, NULL },
		.terminal = true,
	};
	struct live_program *dbtop = live_start(&options);
	assert_proven(dbtop, type_a_line, dbtop);
}

static void kill_it(void *data)
{
	live_free(data);
}

/* For root alone: /proc hides from an ordinary user what is not his. */
static void behind_hidepid_the_table_is_proof(void **state)
{
	(void)state;
	const struct live_program_options plain = { .unprivileged = true };
	CLEANUP(cleanup_free)
	char *held = live_conninfo(server, LIVE_TCP4, "user=app application_name=held");
	CLEANUP(cleanup_free)
	char *gone = live_conninfo(server, LIVE_TCP4, "user=app application_name=gone");
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_TCP4, "user=app");
	(void)live_client_with(&plain, held, "idle", NULL);
	struct live_program *client = live_client_with(&plain, gone, "active", NULL);
	CLEANUP(cleanup_free) char *copy = mem_printf("%s/dbtop", live_nobodys_folder());
	CLEANUP(cleanup_free) char *passfile = live_passfile(true);
	CLEANUP(cleanup_free) char *variable = mem_printf("PGPASSFILE=%s", passfile);
	static const char script[] =
		"cp \"$1\" \"$2\"; chmod 755 \"$2\"; mount -t proc -o hidepid=2 proc /proc; "
		"exec setpriv --reuid=nobody --regid=nogroup --clear-groups "
		"\"$2\" --json --follow -i 0.2 \"$3\"";
	const struct live_program_options options = {
		.argv = (const char *const[]){ "unshare", "-m", "sh", "-ec", script, "sh",
			live_dbtop_path(), copy, ours, NULL },
		.env = (const char *const[]){ variable, NULL },
	};
	assert_proven(live_start(&options), kill_it, client);
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
		LIVE_TEST(a_socket_of_two_processes_is_said),
		LIVE_TEST(hidden_process_is_not_gone),
		LIVE_TEST(gone_is_proven_without_privilege),
		LIVE_TEST(nobody_is_gone_for_a_dbtop_in_a_container),
		LIVE_TEST(client_in_a_container_is_not_gone),
		LIVE_TEST(beside_a_server_of_other_pids_the_table_is_proof),
		/* root's */
		LIVE_TEST(behind_hidepid_the_table_is_proof),
		LIVE_TEST(client_behind_a_cable_is_not_gone),
	};
	CLEANUP(cleanup_free)
	char *hba = live_file(live_folder(), "hba.conf",
		"local all all scram-sha-256\nhost all all all scram-sha-256\n");
	CLEANUP(cleanup_free) char *setting = mem_printf("hba_file=%s", hba);
	return LIVE_GROUP("matching", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=60", setting,
			"listen_addresses=*", NULL },
		.sql = "CREATE ROLE app LOGIN", .root_tests = 2);
}
