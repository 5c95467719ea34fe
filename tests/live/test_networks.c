/* Server and applications in network namespaces of their own: each process is found, and each
 *killed client is proven gone, or it is not known; never wrong.
 *
 * The tests' own namespace (the machine) is a new one, so that nothing of the real machine is
 * touched. The server's namespace and the application's are connected to it by cables:
 *
 *	server NET.2 -- NET.1 machine NET.17 -- NET.18 application
 *
 * See cables.h. */
#include "live_group.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cables.h"

/* The ports of the machine that lead to the server's: translated, through root's forwarder, and
 * through nobody's. */
#define PUBLISHED 15432
#define FORWARDED 15433
#define STRANGERS 15434

static char server_address[32], application_address[32], gateway[32];

/* The server's other addresses. */
static char virtual_address[32], ipv6_address[32];

static void choose_addresses(void)
{
	const char *net = cables_net();
	snprintf(server_address, sizeof(server_address), "%s.2", net);
	snprintf(ipv6_address, sizeof(ipv6_address), "%s:0::2", cables_net6());
	snprintf(virtual_address, sizeof(virtual_address), "%s.3", net);
	snprintf(application_address, sizeof(application_address), "%s.18", net);
	snprintf(gateway, sizeof(gateway), "%s.17", net);
}

static int machine; /* a descriptor of the machine's namespace */
static struct live_program *in_server, *in_application; /* each keeps a namespace alive */
static struct live_program *forwarder;                  /* socat, on the machine */

/* Starts a process that does nothing in a new namespace, or in ours. */
static struct live_program *start_holder(bool new_namespace)
{
	const char *const *argv = new_namespace
		? (const char *const[]){ "unshare", "-n", "sh", "-c",
			  "echo ready; exec sleep 1000000", NULL }
		: (const char *const[]){ "sh", "-c", "echo ready; exec sleep 1000000", NULL };
	struct live_program *holder =
		live_start(&(const struct live_program_options){ .argv = argv });
	live_wait_out(holder, "ready\n", 20000);
	return holder;
}

/* As an engine publishes a container's port: what comes to the machine's port goes to the server's,
 * and what does not come from outside gets the machine's address. */
static void publish(void)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf(
		"net=%s to=%s:%d\n"
		"for i in all cable0 lo; do echo 1 >/proc/sys/net/ipv4/conf/$i/route_localnet; "
		"done\n"
		"nft -f - <<END\n"
		"table ip published {\n"
		" chain in { type nat hook prerouting priority dstnat;\n"
		"  tcp dport %d dnat to $to; }\n"
		" chain own { type nat hook output priority -100;\n"
		"  ip daddr { 127.0.0.0/8, $net.1, $net.17 } tcp dport %d dnat to $to; }\n"
		" chain out { type nat hook postrouting priority srcnat;\n"
		"  oifname cable0 ip saddr { 127.0.0.0/8, $net.16/28 } ct status dnat masquerade; "
		"}\n"
		"}\n"
		"END\n",
		cables_net(), server_address, private_server_port(server), PUBLISHED, PUBLISHED);
	live_shell(script);
}

static struct live_program *start_forwarder(int port, bool nobodys)
{
	CLEANUP(cleanup_free) char *from = mem_printf("TCP4-LISTEN:%d,reuseaddr,fork", port);
	CLEANUP(cleanup_free)
	char *to = mem_printf("TCP4:%s:%d", server_address, private_server_port(server));
	CLEANUP(cleanup_free)
	char *listens =
		mem_printf("until ss -Hltn sport = %d | grep -q .; do sleep 0.05; done", port);
	live_keep(true);
	struct live_program *program = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "socat", from, to, NULL },
		.unprivileged = nobodys });
	live_keep(false);
	live_shell(listens);
	return program;
}

/* The server is already in its namespace: main() has moved there. */
static void set_up(void)
{
	live_keep(true);
	in_server = start_holder(false);
	if (setns(machine, CLONE_NEWNET) < 0)
		fail_msg("the machine's namespace cannot be entered");
	in_application = start_holder(true);
	live_keep(false);
	live_shell("ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward;"
		   " echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	cables_lay(in_server, 0);
	CLEANUP(cleanup_free)
	char *more = mem_printf("nsenter -n -t %d ip addr add %s/28 dev eth0",
		(int)live_pid(in_server), virtual_address);
	live_shell(more);
	cables_lay(in_application, 1);
	publish();
	forwarder = start_forwarder(FORWARDED, false);
	(void)start_forwarder(STRANGERS, true);
}

/* --- places --- */

enum home { MACHINE, OF_SERVER, OF_APPLICATION };

static struct place {
	const char *name;
	enum home home;
	bool over_unix, loopback;
	const char *published; /* the machine's address that the client uses */
	const char *matched_by;
	bool forwarded;      /* through the forwarder */
	const char *address; /* another one of the server's; NULL: as dbtop reaches it */
} places[] = {
	{ "far", OF_APPLICATION, .matched_by = "namespace" },
	{ "beside", OF_SERVER, .loopback = true, .matched_by = "namespace" },
	{ "beside_unix", OF_SERVER, .over_unix = true, .matched_by = "namespace" },
	{ "far_unix", OF_APPLICATION, .over_unix = true, .matched_by = "namespace" },
	{ "far_virtual", OF_APPLICATION, .matched_by = "namespace", .address = virtual_address },
	{ "far_ipv6", OF_APPLICATION, .matched_by = "namespace", .address = ipv6_address },
	{ "machine", MACHINE, .matched_by = "tcp" },
	{ "machine_ipv6", MACHINE, .matched_by = "tcp", .address = ipv6_address },
	{ "machine_unix", MACHINE, .over_unix = true, .matched_by = "unix" },
	{ "far_port", OF_APPLICATION, .published = gateway, .matched_by = "nat" },
	{ "machine_port", MACHINE, .published = gateway, .matched_by = "nat" },
	{ "loopback_port", MACHINE, .published = "127.0.0.1", .matched_by = "nat" },
	{ "far_forwarded", OF_APPLICATION, .published = gateway, .matched_by = "forwarder",
		.forwarded = true },
	{ "own_forwarded", MACHINE, .published = "127.0.0.1", .matched_by = "forwarder",
		.forwarded = true },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* The way to the server over its address; owned by the group of tests. */
static const char *by_address(const char *address, const char *more)
{
	CLEANUP(cleanup_free) char *whole = mem_printf("hostaddr=%s %s", address, more);
	return live_group_conninfo(LIVE_TCP4, whole);
}

/* Starts the client in the namespace of the process; 0: in ours. */
static struct live_program *start_client(
	pid_t namespace, bool nobodys, const char *conninfo, const char *role)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", (int)namespace);
	const char *argv[16] = { NULL };
	size_t n = 0;
	if (namespace)
		for (size_t i = 0; i < 4; i++)
			argv[n++] = (const char *const[]){ "nsenter", "-n", "-t", pid }[i];
	if (nobodys)
		for (size_t i = 0; i < 6; i++)
			argv[n++] = (const char *const[]){ "setpriv", "--reuid", "nobody",
				"--regid", "nogroup", "--clear-groups" }[i];
	argv[n++] = live_client_path();
	argv[n++] = conninfo;
	argv[n++] = role;
	CLEANUP(cleanup_free) char *passfile = live_passfile(nobodys);
	CLEANUP(cleanup_free) char *password = mem_printf("PGPASSFILE=%s", passfile);
	struct live_program *client = live_start(&(const struct live_program_options){
		.argv = argv, .env = (const char *const[]){ password, NULL } });
	live_wait_out(client, "ready\n", 60000);
	return client;
}

static const char *address_of(const struct place *place)
{
	if (place->published)
		return place->published;
	if (place->address)
		return place->address;
	return place->loopback ? "127.0.0.1" : server_address;
}

static struct live_program *start_at(const struct place *place, const char *role)
{
	CLEANUP(cleanup_free)
	char *more = mem_printf("user=app application_name=%s", place->name);
	if (place->published) {
		char *published =
			mem_printf("%s port=%d", more, place->forwarded ? FORWARDED : PUBLISHED);
		free(more);
		more = published;
	}
	const char *conninfo = place->over_unix ? live_group_conninfo(LIVE_UNIX, more)
						: by_address(address_of(place), more);
	const struct live_program *holder = place->home == OF_SERVER ? in_server
		: place->home == OF_APPLICATION                      ? in_application
								     : NULL;
	return start_client(holder ? live_pid(holder) : 0, false, conninfo, role);
}

/* dbtop's own ways to the server. */
enum way { OVER_ADDRESS, OVER_UNIX, OVER_PORT, WAYS };

static const char *way_to_server(enum way way)
{
	CLEANUP(cleanup_free) char *published = mem_printf("port=%d", PUBLISHED);
	if (way == OVER_UNIX)
		return live_group_conninfo(LIVE_UNIX, NULL);
	return way == OVER_PORT ? by_address("127.0.0.1", published)
				: by_address(server_address, "");
}

static json_t *row_of(json_t *root, const char *name)
{
	json_t *row = live_find_text(root, "connections", "application_name", name);
	if (!row)
		fail_msg("no row of %s: %s", name, json_dumps(root, JSON_INDENT(1)));
	return row;
}

static void check_text(json_t *row, const char *path, const char *expected)
{
	const char *found = live_text(row, path);
	if (expected ? !found || strcmp(found, expected) != 0 : found != NULL)
		fail_msg("%s is not %s: %s", path, expected ? expected : "null",
			json_dumps(row, JSON_INDENT(1)));
}

static void each_process_is_found(void **state)
{
	(void)state;
	struct live_program *clients[PLACES];
	for (size_t i = 0; i < PLACES; i++)
		clients[i] = start_at(&places[i], "idle");
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

/* Whoever runs a forwarder decides what it does: nobody's does not make root's process the one that
 * an emergency stops. */
static void a_strangers_forwarder_proves_nothing(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *more = mem_printf("user=app application_name=strange port=%d", STRANGERS);
	struct live_program *client = start_client(0, false, by_address("127.0.0.1", more), "idle");
	json_t *root = live_dbtop_json(NULL, way_to_server(OVER_ADDRESS), NULL);
	json_t *row = row_of(root, "strange");
	check_text(row, "process.name", "socat");
	check_text(row, "process.matched_by", "tcp");
	if (!live_find_number(live_member(row, "process"), "may_be", "pid", live_pid(client)))
		fail_msg("not among them: %s", json_dumps(row, JSON_INDENT(1)));
	json_decref(root);
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
			clients[i] = start_at(&places[i], "active");
		struct live_program *dbtop = follow(way);
		await(dbtop, all_are_held, NULL, "all are held");
		/* dbtop searches every few seconds: all at once */
		for (size_t i = 0; i < PLACES; i++)
			live_signal(clients[i], SIGKILL);
		for (size_t i = 0; i < PLACES; i++)
			await(dbtop, is_gone, places[i].name, places[i].name);
		/* and by a dbtop that sees them for the first time */
		json_t *root = live_dbtop_json(NULL, way_to_server(way), NULL);
		for (size_t i = 0; i < PLACES; i++)
			check_text(row_of(root, places[i].name), "reason", "client_gone");
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
	struct live_program *client = start_at(&places[0], "active");
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

/* A user sees the namespaces of his own processes, and no others. */
static void a_user_sees_his_own_processes(void **state)
{
	(void)state;
	struct live_program *own = start_client(live_pid(in_application), true,
		by_address(server_address, "user=app application_name=own"), "idle");
	struct live_program *other = start_at(&places[0], "idle");
	const struct live_program_options options = { .unprivileged = true };
	struct live_program *dbtop =
		live_dbtop_start(&options, "--json", by_address(server_address, "user=app"), NULL);
	(void)live_finish(dbtop, 60000);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("dbtop as nobody: %s", live_err(dbtop));
	json_t *row = row_of(root, "own");
	assert_int_equal(json_integer_value(live_member(row, "process.pid")), live_pid(own));
	check_text(row, "process.matched_by", "namespace");
	row = row_of(root, places[0].name);
	assert_true(json_is_null(live_member(row, "process")));
	check_text(row, "reason", NULL);
	json_decref(root);
	live_free(other);
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

/* --- coming and going --- */

#define MOST_GUESTS 12
#define MOST_NAMES  100000

/* A client of the long test: its number is in its application_name. */
static struct guest {
	int number;
	struct live_program *client, *container; /* container: its namespace, if that is its own */
	bool killed;
} guests[MOST_GUESTS];

static pid_t guest_pids[MOST_NAMES];  /* by number */
static bool guest_killed[MOST_NAMES]; /* by number */
static bool guest_proven[MOST_NAMES]; /* by number: root's dbtop has proven it */
static int n_guests;

static int number_of(json_t *row)
{
	const char *name = live_text(row, "application_name");
	return name && strncmp(name, "guest", 5) == 0 ? atoi(name + 5) : -1;
}

/* Each row is right or not known. */
static bool nothing_is_wrong(json_t *root, void *data)
{
	bool *proven = data;
	size_t i;
	json_t *row;
	json_array_foreach(live_member(root, "connections"), i, row)
	{
		int number = number_of(row);
		if (number < 0)
			continue;
		json_t *pid = live_member(row, "process.pid");
		const char *reason = live_text(row, "reason");
		bool gone = reason && strcmp(reason, "client_gone") == 0;
		/* before the forwarder's two connections are seen, it is itself the process */
		const char *process = live_text(row, "process.name");
		if (json_is_integer(pid) && json_integer_value(pid) != guest_pids[number] &&
			strcmp(process ? process : "", "socat") != 0)
			fail_msg("guest %d is %d: %s", number, (int)guest_pids[number],
				json_dumps(row, JSON_INDENT(1)));
		if (gone && !guest_killed[number])
			fail_msg("guest %d lives: %s", number, json_dumps(row, JSON_INDENT(1)));
		if (gone && proven)
			proven[number] = true;
	}
	return true;
}

static void start_guest(struct guest *guest, unsigned choice)
{
	const struct place *place = &places[choice % PLACES];
	bool contained = choice % 5 == 0;
	*guest = (struct guest){ .number = n_guests };
	const char *port = !place->published || contained ? ""
		: place->forwarded                        ? " port=15433"
							  : " port=15432";
	CLEANUP(cleanup_free)
	char *more = mem_printf("user=app application_name=guest%d%s", n_guests, port);
	const struct live_program *home = place->home == OF_SERVER ? in_server
		: place->home == OF_APPLICATION                    ? in_application
								   : NULL;
	if (contained) {
		guest->container = start_holder(true);
		cables_lay(guest->container, 3 + (int)(guest - guests));
		home = guest->container;
	}
	const char *conninfo = place->over_unix && !contained
		? live_group_conninfo(LIVE_UNIX, more)
		: by_address(contained ? server_address : address_of(place), more);
	guest->client =
		start_client(home ? live_pid(home) : 0, choice % 2 == 0, conninfo, "active");
	guest_pids[n_guests++] = live_pid(guest->client);
}

static void kill_guest(struct guest *guest)
{
	guest->killed = guest_killed[guest->number] = true;
	live_signal(guest->client, SIGKILL);
	live_free(guest->client);
	if (guest->container)
		live_free(guest->container);
	guest->client = guest->container = NULL;
}

static bool is_proven(json_t *root, void *data)
{
	(void)nothing_is_wrong(root, guest_proven);
	return guest_proven[*(const int *)data];
}

/* The session is ended once its client is proven gone, so that the next guest has a slot. */
static void bury(struct live_program *dbtop, struct guest *guest)
{
	json_decref(live_await_json(dbtop, is_proven, &guest->number, "the guest is gone", 60000));
	CLEANUP(cleanup_free)
	char *sql = mem_printf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			       " WHERE application_name = 'guest%d'",
		guest->number);
	live_sql(server, sql);
	CLEANUP(cleanup_free)
	char *unplugged =
		mem_printf("while ip link show cable%d 2>/dev/null >&2; do sleep 0.05; done",
			3 + (int)(guest - guests));
	live_shell(unplugged);
	*guest = (struct guest){ .number = -1 };
}

/* Clients and containers come and go while root's dbtop follows, and that of nobody, who is a
 * stranger to half of the clients. $DBTOP_TEST_ROUNDS scales it. */
static void nothing_is_wrong_while_clients_come_and_go(void **state)
{
	(void)state;
	const struct live_program_options options = { .unprivileged = true };
	struct live_program *dbtop = follow(OVER_ADDRESS);
	struct live_program *users = live_dbtop_start(&options, "--json", "--follow", "-i", "0.2",
		by_address(server_address, "user=app"), NULL);
	unsigned chance = 1;
	int rounds = live_rounds(20);
	memset(guests, 0, sizeof(guests));
	for (size_t i = 0; i < MOST_GUESTS; i++)
		guests[i].number = -1;
	for (int round = 0; round < rounds && n_guests < MOST_NAMES; round++) {
		chance = chance * 1103515245 + 12345;
		struct guest *guest = &guests[(chance >> 16) % MOST_GUESTS];
		if (guest->number < 0)
			start_guest(guest, (unsigned)round);
		else if (guest->client)
			kill_guest(guest);
		else
			bury(dbtop, guest);
		json_decref(live_await_json(
			dbtop, nothing_is_wrong, guest_proven, "root's snapshot", 60000));
		json_decref(live_await_json(
			users, nothing_is_wrong, NULL, "the user's snapshot", 60000));
	}
	for (size_t i = 0; i < MOST_GUESTS; i++) {
		if (guests[i].client)
			kill_guest(&guests[i]);
		if (guests[i].number >= 0)
			bury(dbtop, &guests[i]);
	}
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
		clients[i] = start_at(&places[i], "idle");
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
	if (is_target(root, live_pid(carrier)) || is_target(root, live_pid(forwarder)))
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
		LIVE_TEST(a_user_sees_his_own_processes),
		LIVE_TEST(what_is_translated_is_not_visible_to_a_user),
		LIVE_TEST(nothing_is_wrong_while_clients_come_and_go),
		LIVE_TEST(the_emergency_stops_applications_but_no_forwarder),
		LIVE_TEST(a_shutdown_test_works_through_a_port_of_the_machine),
	};
	CLEANUP(cleanup_free)
	char *hba = live_file(live_folder(), "hba.conf",
		"local all all scram-sha-256\nhost all all all scram-sha-256\n");
	CLEANUP(cleanup_free) char *setting = mem_printf("hba_file=%s", hba);
	machine = cables_enter();
	if (machine < 0)
		return 1;
	choose_addresses();
	return LIVE_GROUP("networks", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=60", setting,
			"listen_addresses=*", NULL },
		.sql = "CREATE ROLE app LOGIN", .set_up = set_up,
		.root_tests = sizeof(tests) / sizeof(tests[0]));
}
