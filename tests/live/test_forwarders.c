/* Forwarders that serve several connections in one process: HAProxy, stunnel and ssh. Which of
 * HAProxy's connections belong together is known only while the kernel shows that there is one
 * choice. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

static struct live_program *haproxy;
static int port; /* it listens there */

static bool is_open(void *data)
{
	(void)data;
	CLEANUP(cleanup_free)
	char *conninfo = mem_printf("hostaddr=127.0.0.1 port=%d user=app dbname=postgres", port);
	return PQping(conninfo) == PQPING_OK;
}

static void start_haproxy_to(int server_port)
{
	do
		port = live_free_port();
	while (port == server_port);
	CLEANUP(cleanup_free)
	char *text = mem_printf("defaults\n mode tcp\n timeout connect 60s\n timeout client 1h\n"
				" timeout server 1h\n"
				"listen app\n bind 127.0.0.1:%d\n server one 127.0.0.1:%d\n",
		port, server_port);
	CLEANUP(cleanup_free) char *name = mem_printf("haproxy-%d.cfg", port);
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), name, text);
	haproxy = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "/usr/sbin/haproxy", "-db", "-f", config, NULL } });
	if (!live_wait(is_open, NULL, 30000))
		fail_msg("haproxy: %s", live_err(haproxy));
}

static void start_haproxy(void **state)
{
	(void)state;
	start_haproxy_to(private_server_port(server));
}

static struct live_program *start_behind(const char *name)
{
	CLEANUP(cleanup_free)
	char *more = mem_printf("user=app port=%d application_name=%s", port, name);
	return live_client(live_group_conninfo(LIVE_TCP4, more), "idle", NULL);
}

static json_t *row_of(json_t *root, const char *name)
{
	return live_find_text(root, "connections", "application_name", name);
}

static const char *matched_by(json_t *row)
{
	const char *text = row ? live_text(row, "process.matched_by") : NULL;
	return text ? text : "";
}

static long pid_of(json_t *row)
{
	return (long)json_integer_value(live_member(row, "process.pid"));
}

struct expected {
	const char *name;
	struct live_program *process;
};

static bool is_looked_through(json_t *root, void *data)
{
	const struct expected *expected = data;
	json_t *row = row_of(root, expected->name);
	return row && strcmp(matched_by(row), "forwarder") == 0 &&
		pid_of(row) == live_pid(expected->process) &&
		json_integer_value(live_member(row, "process.forwarder")) == live_pid(haproxy);
}

/* Whether the row shows haproxy as its process, and the expected process as a possible one. */
static bool may_be(json_t *root, void *data)
{
	const struct expected *expected = data;
	json_t *row = row_of(root, expected->name);
	return row && pid_of(row) == live_pid(haproxy) &&
		live_find_number(
			live_member(row, "process"), "may_be", "pid", live_pid(expected->process));
}

static void one_is_proven_and_two_may_be(void **state)
{
	start_haproxy(state);
	struct expected first = { "first", start_behind("first") };
	struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2",
		live_group_conninfo(LIVE_UNIX, NULL), NULL);
	json_decref(live_await_json(dbtop, is_looked_through, &first, "the first", 60000));
	struct expected second = { "second", start_behind("second") };
	json_t *root = live_await_json(dbtop, may_be, &second, "the second", 60000);
	/* what was proven once stays */
	assert_true(is_looked_through(root, &first));
	json_decref(root);
	/* for a dbtop that comes now, it is not */
	root = live_dbtop_json(NULL, live_group_conninfo(LIVE_UNIX, NULL), NULL);
	assert_true(may_be(root, &first));
	first.process = second.process;
	assert_true(may_be(root, &first));
	json_decref(root);
}

static bool is_held_by_haproxy(json_t *root, void *data)
{
	json_t *row = row_of(root, data);
	return row && pid_of(row) == live_pid(haproxy);
}

/* What was proven stays, also of a forwarder behind another one. */
static void what_is_behind_two_stays_proven(void **state)
{
	start_haproxy(state);
	struct live_program *inner = haproxy;
	start_haproxy_to(port);
	haproxy = inner;
	struct expected first = { "first", start_behind("first") };
	struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2",
		live_group_conninfo(LIVE_UNIX, NULL), NULL);
	json_decref(live_await_json(dbtop, is_looked_through, &first, "the first", 60000));
	start_behind("second");
	json_t *root =
		live_await_json(dbtop, is_held_by_haproxy, (void *)"second", "the second", 60000);
	assert_true(is_looked_through(root, &first));
	json_decref(root);
}

static bool is_gone(json_t *root, const char *name)
{
	json_t *row = row_of(root, name);
	const char *reason = row ? live_text(row, "reason") : NULL;
	return reason && strcmp(reason, "client_gone") == 0;
}

/* The forwarder that stays holds the client's end: its client's death alone proves nothing. It is
 * stopped, so that it does not close. */
static void a_dead_client_behind_a_living_forwarder_proves_nothing(void **state)
{
	start_haproxy(state);
	struct expected first = { "first", start_behind("first") };
	struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2",
		live_group_conninfo(LIVE_UNIX, NULL), NULL);
	json_decref(live_await_json(dbtop, is_looked_through, &first, "the first", 60000));
	live_signal(haproxy, SIGSTOP);
	live_signal(first.process, SIGKILL);
	(void)live_finish(first.process, 20000);
	for (int scan = 0; scan < 3; scan++) {
		json_t *root =
			live_await_json(dbtop, is_held_by_haproxy, (void *)"first", "held", 60000);
		assert_false(is_gone(root, "first"));
		json_decref(root);
	}
	live_signal(haproxy, SIGCONT);
}

/* The emergency stops what is behind it, once that is proven, and never the forwarder. */
static void the_emergency_stops_what_is_behind(void **state)
{
	start_haproxy(state);
	struct live_program *client = start_behind("first");
	struct expected first = { "first", client };
	struct live_program *follower = live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2",
		live_group_conninfo(LIVE_UNIX, NULL), NULL);
	/* while the connection of is_open() ends, there are two choices */
	json_decref(live_await_json(follower, is_looked_through, &first, "the first", 60000));
	live_free(follower);
	live_wait_dbtops_gone(server);
	struct live_program *dbtop = live_dbtop_start(NULL, "--emergency", "--dry-run", "--json",
		live_group_conninfo(LIVE_UNIX, NULL), NULL);
	(void)live_finish(dbtop, 60000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("no plan: %s", live_err(dbtop));
	if (!live_find_number(root, "targets", "pid", live_pid(client)) ||
		live_find_number(root, "targets", "pid", live_pid(haproxy)))
		fail_msg("%s", json_dumps(root, JSON_INDENT(1)));
	json_decref(root);
}

/* The plan of the emergency: this process is named, and left alone for this reason. NULL as its
 * name: whatever it is called. */
static void assert_left_alone(const char *name, long pid, const char *reason)
{
	live_wait_dbtops_gone(server);
	struct live_run run = live_dbtop(
		"--emergency", "--dry-run", "--json", live_group_conninfo(LIVE_TCP4, NULL), NULL);
	json_t *root = live_parse_json(run.out);
	json_t *found = name ? live_find_text(root, "spared", "name", name)
			     : live_find_number(root, "spared", "pid", pid);
	if (!found || strcmp(live_text(found, "reason"), reason) != 0 ||
		json_array_size(live_member(root, "targets")) != 0)
		fail_msg("%s", json_dumps(root, JSON_INDENT(1)));
	json_decref(root);
	live_run_clear(&run);
}

/* Two stunnels, the one's client end in the other: what it brings to the server is not what it got,
 * so only its program tells. Its application is behind it, and is not ours to stop either. */
static void the_emergency_stops_no_stunnel(void **state)
{
	(void)state;
	int between = live_free_port();
	do
		port = live_free_port();
	while (port == between);
	CLEANUP(cleanup_free)
	char *text = mem_printf("foreground = yes\npid =\nsyslog = no\n"
				"[far]\naccept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\n"
				"cert = %s/cert.pem\nkey = %s/key.pem\n"
				"[near]\nclient = yes\naccept = 127.0.0.1:%d\n"
				"connect = 127.0.0.1:%d\n",
		between, private_server_port(server), live_folder(), live_folder(), port, between);
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), "stunnel.conf", text);
	CLEANUP(cleanup_free)
	char *script =
		mem_printf("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem"
			   " -out cert.pem -days 1 -subj /CN=localhost 2>/dev/null &&"
			   " exec stunnel %s",
			live_folder(), config);
	struct live_program *stunnel = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "sh", "-c", script, NULL } });
	if (!live_wait(is_open, NULL, 60000))
		fail_msg("stunnel: %s", live_err(stunnel));
	(void)start_behind("first");
	assert_left_alone(NULL, live_pid(stunnel), "forwarder");
}

/* The sshd of one login and its client, both in a mount namespace with a /run of their own, where
 * sshd's folder may be missing. */
static void start_tunnel(int sshd_port)
{
	CLEANUP(cleanup_free)
	char *script =
		mem_printf("cd %s\n"
			   "mount -t tmpfs none /run; mkdir -m 755 /run/sshd\n"
			   "ssh-keygen -q -t ed25519 -N '' -f hostkey\n"
			   "ssh-keygen -q -t ed25519 -N '' -f key\n"
			   "cat >sshd <<END\n"
			   "Port %d\nListenAddress 127.0.0.1\nHostKey $PWD/hostkey\n"
			   "AuthorizedKeysFile $PWD/key.pub\nPermitRootLogin yes\nStrictModes no\n"
			   "UsePAM no\nPidFile none\n"
			   "END\n"
			   "sed 's/^root:!*/root:/' /etc/shadow >shadow; chmod 600 shadow\n"
			   "mount --bind shadow /etc/shadow\n"
			   "/usr/sbin/sshd -D -e -f $PWD/sshd &\n"
			   /* refused until sshd listens */
			   "until ssh -F none -N -i key -p %d -o StrictHostKeyChecking=no"
			   " -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
			   " -L 127.0.0.1:%d:127.0.0.1:%d root@127.0.0.1\n"
			   "do sleep 0.1; done\n",
			live_folder(), sshd_port, sshd_port, port, private_server_port(server));
	struct live_program *tunnel = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "unshare", "-m", "-p", "-f", "--kill-child",
			"--mount-proc", "sh", "-ec", script, NULL } });
	if (!live_wait(is_open, NULL, 60000))
		fail_msg("the tunnel: %s", live_err(tunnel));
}

/* sshd is looked through to its client, however many connections it has opened. That client listens
 * and encrypts: which of its connections it is stays open. */
static void an_ssh_tunnel_leads_to_its_client(void **state)
{
	(void)state;
	int sshd_port = live_free_port();
	do
		port = live_free_port();
	while (port == sshd_port);
	start_tunnel(sshd_port);
	struct live_program *first = start_behind("first");
	(void)start_behind("second");
	json_t *root = live_dbtop_json(NULL, live_group_conninfo(LIVE_UNIX, NULL), NULL);
	json_t *row = row_of(root, "first");
	json_t *process = live_member(row, "process");
	if (strcmp(matched_by(row), "forwarder") != 0 ||
		strcmp(live_text(row, "process.name"), "ssh") != 0 ||
		json_array_size(json_object_get(process, "may_be")) != 2 ||
		!live_find_number(process, "may_be", "pid", live_pid(first)))
		fail_msg("%s", json_dumps(row, JSON_INDENT(1)));
	json_decref(root);
	assert_left_alone("sshd", 0, "sshd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(one_is_proven_and_two_may_be),
		LIVE_TEST(what_is_behind_two_stays_proven),
		LIVE_TEST(a_dead_client_behind_a_living_forwarder_proves_nothing),
		LIVE_TEST(the_emergency_stops_what_is_behind),
		LIVE_TEST(the_emergency_stops_no_stunnel),
		/* root's */
		LIVE_TEST(an_ssh_tunnel_leads_to_its_client),
	};
	return LIVE_GROUP("forwarders", tests, .sql = "CREATE ROLE app LOGIN", .root_tests = 1);
}
