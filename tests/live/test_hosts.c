/* Server and applications on other machines: dbtop asks the dbtops there, over a real sshd.
 *
 * A machine is a network namespace, and a view of processes of its own. dbtop runs in the tests'
 * own namespace, and sees no process of the others:
 *
 *	host b, with the server: NET.2 -- NET.1 here NET.17 -- NET.18 host a
 *
 * The server is a child of this program, so the agent of b could see all processes: it runs as the
 * server's user, to whom those of a are closed. */
#include "live_group.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cables.h"

static char address_of_a[32], address_of_b[32];
static int here; /* a descriptor of the tests' namespace */
static struct live_program *host_a, *host_b;
static char *run_in_a; /* a command that runs its arguments on a */
static unsigned servers_uid, servers_gid;
static const char *folder;

static void choose_addresses(void)
{
	snprintf(address_of_b, sizeof(address_of_b), "%s.2", cables_net());
	snprintf(address_of_a, sizeof(address_of_a), "%s.18", cables_net());
}

/* Frees the text. */
static void shell_of(char *script)
{
	live_shell(script);
	free(script);
}

/* Starts a machine's sshd, which lives in a mount namespace of its own: its folder in /run may be
 * missing here, and root's account may be locked. `isolated`: in new namespaces of the network and
 * of processes, too. */
static struct live_program *start_host(const char *name, bool isolated)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf("mount -t tmpfs none /run\n"
				  "mkdir -m 755 /run/sshd\n"
				  "sed 's/^root:!*/root:/' /etc/shadow >%s/shadow-%s\n"
				  "chmod 600 %s/shadow-%s\n"
				  "mount --bind %s/shadow-%s /etc/shadow\n"
				  "ip link set lo up\n"
				  "echo ready\n"
				  "exec /usr/sbin/sshd -D -e -f %s/sshd-%s\n",
		folder, name, folder, name, folder, name, folder, name);
	const char *const alone[] = { "unshare", "-n", "-p", "-m", "--mount-proc", "-f",
		"--kill-child", "sh", "-ec", script, NULL };
	const char *const beside[] = { "unshare", "-m", "sh", "-ec", script, NULL };
	struct live_program *host = live_start(
		&(const struct live_program_options){ .argv = isolated ? alone : beside });
	live_wait_out(host, "ready\n", 20000);
	return host;
}

/* The forced command is what the manual shows, but for b's user. */
static void write_host(const char *name, const char *command)
{
	shell_of(mem_printf(
		"cd %s\n"
		"ssh-keygen -q -t ed25519 -N '' -f hostkey-%s\n"
		"printf 'command=\"%%s\",restrict %%s\\n' '%s' \"$(cat key.pub)\" >allowed-%s\n"
		"cat >sshd-%s <<END\n"
		"Port 2222\n"
		"HostKey $PWD/hostkey-%s\n"
		"AuthorizedKeysFile $PWD/allowed-%s\n"
		"PermitRootLogin yes\n"
		"StrictModes no\n"
		"UsePAM no\n"
		"PidFile none\n"
		"END\n",
		folder, name, command, name, name, name, name));
}

/* dbtop finds this ssh first; the hosts are aliases of its configuration. */
static void write_ssh(void)
{
	shell_of(mem_printf(
		"cd %s\n"
		"mkdir bin\n"
		"printf '#!/bin/sh\\nexec /usr/bin/ssh -F %%s \"$@\"\\n' $PWD/ssh_config "
		">bin/ssh\n"
		"chmod 755 bin/ssh\n"
		"cat >ssh_config <<END\n"
		"Host a\n"
		" HostName %s\n"
		"Host b\n"
		" HostName %s\n"
		"Host *\n"
		" User root\n"
		" Port 2222\n"
		" IdentityFile $PWD/key\n"
		" IdentitiesOnly yes\n"
		" StrictHostKeyChecking no\n"
		" UserKnownHostsFile /dev/null\n"
		" LogLevel ERROR\n"
		"END\n",
		folder, address_of_a, address_of_b));
}

/* The user and the group of a backend: both must match for its descriptors to be read. */
static void find_servers_user(void)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, NULL);
	PGconn *conn = live_connect(conninfo);
	CLEANUP(cleanup_free)
	char *path = mem_printf("/proc/%d", (int)PQbackendPID(conn));
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	servers_uid = st.st_uid;
	servers_gid = st.st_gid;
	live_disconnect(conn);
}

/* The server is already in its namespace: main() has moved there. */
static void set_up(void)
{
	live_keep(true);
	folder = live_folder();
	find_servers_user();
	shell_of(mem_printf("cd %s; ssh-keygen -q -t ed25519 -N '' -f key", folder));
	CLEANUP(cleanup_free) char *plain = mem_printf("%s --peers", live_dbtop_path());
	CLEANUP(cleanup_free)
	char *as_user = mem_printf("setpriv --reuid %u --regid %u --clear-groups %s --peers",
		servers_uid, servers_gid, live_dbtop_path());
	write_host("a", plain);
	write_host("b", as_user);
	write_ssh();
	host_b = start_host("b", false);
	if (setns(here, CLONE_NEWNET) < 0)
		fail_msg("the tests' namespace cannot be entered");
	host_a = start_host("a", true);
	live_keep(false);
	run_in_a = mem_printf("nsenter -n -m -t %d --pid=/proc/%d/ns/pid_for_children",
		(int)live_pid(host_a), (int)live_pid(host_a));
	live_shell("ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward");
	cables_lay(host_b, 0);
	cables_lay(host_a, 1);
	/* a connection is refused until sshd listens */
	for (int i = 0; i < 2; i++)
		shell_of(mem_printf("until nsenter -n -t %d ss -Hltn sport = 2222 | grep -q .; do"
				    " sleep 0.05; done",
			(int)live_pid(i ? host_a : host_b)));
}

static void take_down(void)
{
	free(run_in_a);
}

/* --- clients and dbtop --- */

static const char *by_address(const char *address, const char *name)
{
	CLEANUP(cleanup_free)
	char *whole = mem_printf("hostaddr=%s user=app application_name=%s", address, name);
	return live_group_conninfo(LIVE_TCP4, whole);
}

static struct live_program *start_client(const char *prefix, const char *conninfo, const char *role)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf("exec %s %s '%s' %s", prefix, live_client_path(), conninfo, role);
	CLEANUP(cleanup_free) char *password = mem_printf("PGPASSWORD=%s", live_password());
	struct live_program *client = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "sh", "-c", script, NULL },
		.env = (const char *const[]){ password, NULL } });
	live_wait_out(client, "ready\n", 60000);
	return client;
}

static struct live_program *start_on_a(const char *name, const char *role)
{
	return start_client(run_in_a, by_address(address_of_b, name), role);
}

/* As the server's user: its agent may look into it. */
static struct live_program *start_on_b(const char *conninfo, const char *role)
{
	CLEANUP(cleanup_free)
	char *prefix = mem_printf("nsenter -n -t %d setpriv --reuid %u --regid %u --clear-groups",
		(int)live_pid(host_b), servers_uid, servers_gid);
	return start_client(prefix, conninfo, role);
}

/* dbtop in a view of processes of its own: it sees no process but itself and what it starts. */
static struct live_program *start_dbtop(const char *options)
{
	CLEANUP(cleanup_free) char *passfile = live_passfile(false);
	CLEANUP(cleanup_free)
	char *script = mem_printf("export PATH=%s/bin:$PATH PGPASSFILE=%s\n"
				  "exec unshare -p -m --mount-proc -f --kill-child %s --json %s"
				  " 'host=%s port=%d user=postgres dbname=postgres'",
		folder, passfile, live_dbtop_path(), options, address_of_b,
		private_server_port(server));
	return live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "sh", "-c", script, NULL } });
}

static struct live_program *follow(void)
{
	return start_dbtop("--follow -i 0.2 --host-agent a --host-agent b");
}

/* dbtop's one snapshot, which the caller json_decref()s. */
static json_t *look(const char *options)
{
	struct live_program *dbtop = start_dbtop(options);
	(void)live_finish(dbtop, 60000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root || strstr(live_err(dbtop), "Sanitizer"))
		fail_msg("no snapshot: %s", live_err(dbtop));
	live_free(dbtop);
	return root;
}

static json_t *row_of(json_t *root, const char *name)
{
	json_t *row = live_find_text(root, "connections", "application_name", name);
	if (!row)
		fail_msg("no row of %s: %s", name, json_dumps(root, JSON_INDENT(1)));
	return row;
}

static bool has_text(json_t *row, const char *path, const char *expected)
{
	const char *found = row ? live_text(row, path) : NULL;
	return expected ? found && strcmp(found, expected) == 0 : row && !found;
}

static void check_text(json_t *row, const char *path, const char *expected)
{
	if (!has_text(row, path, expected))
		fail_msg("%s is not %s: %s", path, expected ? expected : "null",
			json_dumps(row, JSON_INDENT(1)));
}

/* The client's command line has the name of its session. */
static void check_holder(json_t *root, const char *name, const char *host)
{
	json_t *row = row_of(root, name);
	const char *command = live_text(row, "process.command");
	check_text(row, "process.matched_by", "host");
	check_text(row, "process.host", host);
	check_text(row, "client_end", "held");
	if (!command || !strstr(command, name))
		fail_msg("another process: %s", json_dumps(row, JSON_INDENT(1)));
	json_t *process =
		live_find_text(root, "processes", "command", live_text(row, "process.command"));
	check_text(process, "host", host);
}

static void each_process_is_found(void **state)
{
	(void)state;
	start_on_a("far", "idle");
	start_on_b(by_address("127.0.0.1", "beside"), "idle");
	start_on_b(live_group_conninfo(LIVE_UNIX, "user=app application_name=socket"), "idle");
	json_t *root = look("--host-agent a --host-agent b");
	check_holder(root, "far", "a");
	check_holder(root, "beside", "b");
	check_holder(root, "socket", "b");
	check_text(live_find_text(root, "sources", "name", "host a"), "status", "ok");
	json_decref(root);
	/* nobody speaks for b's loopback without b */
	root = look("--host-agent a");
	check_holder(root, "far", "a");
	check_text(row_of(root, "beside"), "process.name", NULL);
	check_text(row_of(root, "socket"), "process.name", NULL);
	json_decref(root);
}

/* --- proofs --- */

static bool is_row(json_t *root, const char *name, const char *path, const char *value)
{
	return has_text(live_find_text(root, "connections", "application_name", name), path, value);
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

static long await_held(struct live_program *dbtop, const char *name)
{
	json_t *root = live_await_json(dbtop, is_held, (void *)name, "the client is held", 60000);
	long pid = (long)json_integer_value(live_member(row_of(root, name), "process.pid"));
	json_decref(root);
	return pid;
}

static void await_gone(struct live_program *dbtop, const char *name)
{
	json_t *root = live_await_json(dbtop, is_gone, (void *)name, "the client is gone", 60000);
	check_text(row_of(root, name), "process.matched_by", "host");
	json_decref(root);
}

/* The process that is ended is the one that dbtop names. */
static void killed_clients_are_proven_gone(void **state)
{
	(void)state;
	start_on_a("far", "active");
	struct live_program *beside = start_on_b(by_address("127.0.0.1", "beside"), "active");
	struct live_program *other = start_on_b(
		live_group_conninfo(LIVE_UNIX, "user=app application_name=socket"), "active");
	struct live_program *dbtop = follow();
	shell_of(mem_printf("%s sh -c 'kill -9 %ld'", run_in_a, await_held(dbtop, "far")));
	assert_int_equal(await_held(dbtop, "beside"), live_pid(beside));
	assert_int_equal(await_held(dbtop, "socket"), live_pid(other));
	live_signal(beside, SIGKILL);
	live_signal(other, SIGKILL);
	await_gone(dbtop, "far");
	await_gone(dbtop, "beside");
	await_gone(dbtop, "socket");
}

/* --- agents --- */

static bool is_source(json_t *root, void *data)
{
	const char *const *wanted = data;
	return has_text(live_find_text(root, "sources", "name", "host a"), "status", wanted[0]);
}

static void await_source(struct live_program *dbtop, const char *status)
{
	json_decref(live_await_json(dbtop, is_source, &status, status, 60000));
}

static void signal_agent(const char *name)
{
	shell_of(mem_printf("%s sh -c 'for p in /proc/[0-9]*; do"
			    " if tr \"\\0\" \" \" <$p/cmdline | grep -q \"^[^ ]*dbtop --peers\"; "
			    "then kill -%s ${p#/proc/}; fi; done'",
		run_in_a, name));
}

static void an_agent_that_stops_or_ends_is_a_state(void **state)
{
	(void)state;
	start_on_a("far", "active");
	struct live_program *dbtop = follow();
	await_held(dbtop, "far");
	signal_agent("STOP");
	await_source(dbtop, "stale");
	signal_agent("CONT");
	await_source(dbtop, "ok");
	signal_agent("KILL");
	await_source(dbtop, "stale");
	await_source(dbtop, "ok");
	json_t *root = look("--host-agent a");
	check_holder(root, "far", "a");
	json_decref(root);
}

static bool is_not_matched(json_t *root, void *data)
{
	return is_row(root, data, "process.name", NULL) && is_row(root, data, "reason", NULL);
}

/* A second host has the client's address, too: which of the two it is cannot be told. */
static void an_ambiguous_address_is_not_matched(void **state)
{
	(void)state;
	start_on_a("far", "active");
	/* so that b is asked at each refresh */
	start_on_b(by_address("127.0.0.1", "beside"), "idle");
	struct live_program *dbtop = follow();
	long pid = await_held(dbtop, "far");
	await_held(dbtop, "beside");
	CLEANUP(cleanup_free)
	char *inside = mem_printf("nsenter -n -t %d ip addr", (int)live_pid(host_b));
	shell_of(mem_printf("%s add %s/32 dev lo", inside, address_of_a));
	json_decref(
		live_await_json(dbtop, is_not_matched, (void *)"far", "it is ambiguous", 60000));
	shell_of(mem_printf("%s sh -c 'kill -9 %ld'", run_in_a, pid));
	json_t *root = look("--host-agent a --host-agent b");
	check_text(row_of(root, "far"), "reason", NULL);
	json_decref(root);
	shell_of(mem_printf("%s del %s/32 dev lo", inside, address_of_a));
}

/* Nothing of another machine is stopped, and its session stays; the plan says what to run there. */
static void the_emergency_stops_nothing_over_there(void **state)
{
	(void)state;
	start_on_a("far", "idle");
	start_on_b(by_address("127.0.0.1", "beside"), "idle");
	json_t *root = look("--emergency --dry-run --host-agent a --host-agent b");
	assert_int_equal(json_array_size(live_member(root, "targets")), 0);
	const char *error = live_text(root, "error");
	CLEANUP(cleanup_free)
	char *command = mem_printf(" dbtop -h %s -p ", address_of_b);
	if (!error || !strstr(error, "ssh -t a dbtop -h ") ||
		!strstr(error, "ssh -t b dbtop -h ") || !strstr(error, command) ||
		!strstr(error, " --emergency"))
		fail_msg("%s", json_dumps(root, JSON_INDENT(1)));
	json_decref(root);
}

/* In a's own /run, where only its dbtop sees the page. */
static long start_pool_on_a(void)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf(
		"exec %s sh -c 'mkdir -p /run/user/0; export XDG_RUNTIME_DIR=/run/user/0; echo pid "
		"$$; exec \"$@\"' sh %s '%s' '' paged forget:100",
		run_in_a, PAGED_CLIENT_PATH, by_address(address_of_b, "fallback"));
	CLEANUP(cleanup_free) char *password = mem_printf("PGPASSWORD=%s", live_password());
	struct live_program *pool = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "sh", "-c", script, NULL },
		.env = (const char *const[]){ password, NULL } });
	live_wait_out(pool, "ready\n", 60000);
	return strtol(strstr(live_out(pool), "pid ") + 4, NULL, 10);
}

static json_t *leak_of_pool(json_t *root)
{
	size_t i;
	json_t *row;
	json_array_foreach(live_member(root, "connections"), i, row)
	{
		const char *name = live_text(row, "application_name");
		if (name && strncmp(name, "paged/", 6) == 0 &&
			has_text(row, "reason", "held_too_long") &&
			has_text(row, "certainty", "declared"))
			return row;
	}
	return NULL;
}

static bool is_leak_declared(json_t *root, void *data)
{
	(void)data;
	return leak_of_pool(root) != NULL;
}

/* The page says which connection was forgotten, and where in the code it was borrowed. */
static void a_pool_over_there_is_shown_with_its_sessions(void **state)
{
	(void)state;
	long pid = start_pool_on_a();
	struct live_program *dbtop = follow();
	json_t *root = live_await_json(dbtop, is_leak_declared, NULL, "the forgotten one", 60000);
	json_t *row = leak_of_pool(root);
	const char *site = live_text(row, "pool.site");
	if (!site || !strstr(site, "paged_client.c:"))
		fail_msg("no line of code: %s", json_dumps(row, JSON_INDENT(1)));
	check_text(row, "process.matched_by", "host");
	row = live_find_text(root, "pools", "name", "paged");
	check_text(row, "host", "a");
	assert_int_equal(json_integer_value(live_member(row, "pid")), pid);
	assert_int_equal(json_integer_value(live_member(row, "in_use")), 1);
	json_decref(root);
	/* it would outlive nsenter, and open its connections again */
	shell_of(mem_printf("%s sh -c 'kill -9 %ld'", run_in_a, pid));
}

/* What cannot be asked is a source that says why, and the rest is as without it. */
static void nonsense_is_a_failed_source(void **state)
{
	(void)state;
	static const struct {
		const char *host, *error;
	} cases[] = {
		{ "{name: chatty, command: [echo, Welcome to Debian]}", "Welcome to Debian" },
		{ "{name: none, command: [/nowhere/dbtop]}", "cannot be run" },
		{ "{name: refused, command: [sh, -c, 'echo no key >&2; exit 255']}", "no key" },
		{ "{name: endless, command: [yes]}", "not a line" },
		{ "{name: long, command: [cat, /dev/zero]}", "a line of more than" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free) char *text = mem_printf("hosts: [%s]\n", cases[i].host);
		CLEANUP(cleanup_free) char *name = mem_printf("config-%zu.yaml", i);
		CLEANUP(cleanup_free) char *path = live_file(folder, name, text);
		CLEANUP(cleanup_free) char *options = mem_printf("-c %s", path);
		json_t *root = look(options), *source = NULL;
		json_t *sources = live_member(root, "sources");
		source = json_array_get(sources, json_array_size(sources) - 1);
		check_text(source, "status", "failed");
		const char *error = live_text(source, "error");
		if (!error || !strstr(error, cases[i].error))
			fail_msg("%s: %s", cases[i].host, json_dumps(source, 0));
		json_decref(root);
	}
}

/* It waits for every child of dbtop's: an agent would be lost to it. */
static void a_shutdown_test_starts_no_agent(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *mark = mem_printf("%s/started", folder);
	CLEANUP(cleanup_free)
	char *text = mem_printf("hosts: [{name: x, command: [touch, %s]}]\n", mark);
	CLEANUP(cleanup_free) char *path = live_file(folder, "agent.yaml", text);
	const char *conninfo = live_group_conninfo(LIVE_UNIX, NULL);
	struct live_program *dbtop = live_dbtop_start(NULL, "-c", path, "--shutdown-test", "--json",
		"--signal", "TERM", conninfo, "--", live_client_path(), conninfo, "idle", NULL);
	int status = live_finish(dbtop, 60000);
	if (status != 0)
		fail_msg("status %d: %s", status, live_err(dbtop));
	assert_int_equal(access(mark, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* root's */
		LIVE_TEST(each_process_is_found),
		LIVE_TEST(killed_clients_are_proven_gone),
		LIVE_TEST(an_agent_that_stops_or_ends_is_a_state),
		LIVE_TEST(an_ambiguous_address_is_not_matched),
		LIVE_TEST(the_emergency_stops_nothing_over_there),
		LIVE_TEST(a_pool_over_there_is_shown_with_its_sessions),
		LIVE_TEST(nonsense_is_a_failed_source),
		LIVE_TEST(a_shutdown_test_starts_no_agent),
	};
	CLEANUP(cleanup_free)
	char *hba = live_file(live_folder(), "hba.conf",
		"local all all scram-sha-256\nhost all all all scram-sha-256\n");
	CLEANUP(cleanup_free) char *setting = mem_printf("hba_file=%s", hba);
	here = cables_enter();
	if (here < 0)
		return 1;
	choose_addresses();
	return LIVE_GROUP("hosts", tests, .wide = true,
		.settings = (const char *const[]){ setting, "listen_addresses=*", NULL },
		.sql = "CREATE ROLE app LOGIN", .set_up = set_up, .take_down = take_down,
		.root_tests = sizeof(tests) / sizeof(tests[0]));
}
