#include "places.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cables.h"

char server_address[32], application_address[32];
static char gateway[32];

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
struct live_program *in_server, *in_application, *in_pod;
struct live_program *forwarder, *balancer;

struct live_program *start_holder(bool new_namespace)
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

/* The ports that translated connections come out with. Sockets do not choose them by themselves: if
 * a socket's port were that of a translated connection to the server, the kernel would translate
 * the socket's, too, and only root sees that. */
#define TRANSLATED "20000-29999"

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
		"  oifname cable0 ip saddr { 127.0.0.0/8, $net.16/28 } ct status dnat"
		" meta l4proto tcp masquerade to :" TRANSLATED "; }\n"
		"}\n"
		"END\n",
		cables_net(), server_address, private_server_port(server), PUBLISHED, PUBLISHED);
	live_shell(script);
}

/* The node of a cluster, as a container: its pods come out with its address, and a port of its own
 * leads to the server. */
static void lay_pod(void)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf(
		"net=%s node=%d pod=%d\n"
		"on_node() { nsenter -n -t $node \"$@\"; }\n"
		"in_pod() { nsenter -n -t $pod \"$@\"; }\n"
		"on_node ip link add pod type veth peer name eth0 netns $pod\n"
		"on_node ip addr add $net.241/28 dev pod\n"
		"on_node ip link set pod up\n"
		"on_node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'\n"
		"in_pod ip addr add $net.242/28 dev eth0\n"
		"in_pod ip link set eth0 up\n"
		"in_pod ip link set lo up\n"
		"in_pod ip route add default via $net.241\n"
		"on_node nft -f - <<END\n"
		"table ip node {\n"
		" chain in { type nat hook prerouting priority dstnat;\n"
		"  tcp dport %d dnat to %s:%d; }\n"
		" chain out { type nat hook postrouting priority srcnat;\n"
		"  ip saddr $net.240/28 meta l4proto tcp masquerade to :" TRANSLATED ";\n"
		"  ct status dnat meta l4proto tcp masquerade to :" TRANSLATED "; }\n"
		"}\n"
		"END\n",
		cables_net(), (int)live_pid(in_application), (int)live_pid(in_pod), NODE_PORT,
		server_address, private_server_port(server));
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

static void start_balancer(void)
{
	CLEANUP(cleanup_free)
	char *text = mem_printf("defaults\n mode tcp\n timeout connect 60s\n timeout client 1h\n"
				" timeout server 1h\n"
				"listen app\n bind *:%d\n server one %s:%d\n",
		BALANCED, server_address, private_server_port(server));
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), "haproxy.cfg", text);
	CLEANUP(cleanup_free)
	char *listens =
		mem_printf("until ss -Hltn sport = %d | grep -q .; do sleep 0.05; done", BALANCED);
	live_keep(true);
	balancer = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "/usr/sbin/haproxy", "-db", "-f", config, NULL } });
	live_keep(false);
	live_shell(listens);
}

/* The server is already in its namespace: places_enter() has moved there. */
void places_set_up(void)
{
	live_keep(true);
	in_server = start_holder(false);
	if (setns(machine, CLONE_NEWNET) < 0)
		fail_msg("the machine's namespace cannot be entered");
	in_application = start_holder(true);
	in_pod = start_holder(true);
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
	lay_pod();
	forwarder = start_forwarder(FORWARDED, false);
	(void)start_forwarder(STRANGERS, true);
	start_balancer();
}

struct place places[PLACES] = {
	{ "far", OF_APPLICATION, .matched_by = "namespace", .users = "namespace" },
	{ "beside", OF_SERVER, .loopback = true, .matched_by = "namespace" },
	{ "beside_unix", OF_SERVER, .over_unix = true, .matched_by = "namespace" },
	{ "far_unix", OF_APPLICATION, .over_unix = true, .matched_by = "namespace" },
	{ "far_virtual", OF_APPLICATION, .matched_by = "namespace", .address = virtual_address },
	{ "far_ipv6", OF_APPLICATION, .matched_by = "namespace", .address = ipv6_address },
	{ "machine", MACHINE, .matched_by = "tcp", .users = "tcp", .user_proves = true },
	{ "machine_ipv6", MACHINE, .matched_by = "tcp", .address = ipv6_address },
	{ "machine_unix", MACHINE, .over_unix = true, .matched_by = "unix" },
	{ "far_port", OF_APPLICATION, PUBLISHED, .address = gateway, .matched_by = "nat" },
	{ "machine_port", MACHINE, PUBLISHED, .address = gateway, .matched_by = "nat" },
	{ "loopback_port", MACHINE, PUBLISHED, .address = "127.0.0.1", .matched_by = "nat" },
	{ "pod", OF_POD, .matched_by = "nat" },
	{ "pod_port", OF_POD, PUBLISHED, .address = gateway, .matched_by = "nat" },
	{ "node_port", MACHINE, NODE_PORT, .address = application_address, .matched_by = "nat" },
	{ "far_forwarded", OF_APPLICATION, FORWARDED, .address = gateway, .matched_by = "forwarder",
		.user_proves = true },
	{ "own_forwarded", MACHINE, FORWARDED, .address = "127.0.0.1", .matched_by = "forwarder",
		.user_proves = true },
	{ "far_balanced", OF_APPLICATION, BALANCED, .address = gateway, .matched_by = "forwarder",
		.kept = true },
};

const char *by_address(const char *address, const char *more)
{
	CLEANUP(cleanup_free) char *whole = mem_printf("hostaddr=%s %s", address, more);
	return live_group_conninfo(LIVE_TCP4, whole);
}

struct live_program *start_client(
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
	if (place->address)
		return place->address;
	return place->loopback ? "127.0.0.1" : server_address;
}

const char *way_of(const struct place *place, const char *name)
{
	CLEANUP(cleanup_free) char *port = mem_printf(" port=%d", place->port);
	CLEANUP(cleanup_free)
	char *more = mem_printf("user=app application_name=%s%s", name, place->port ? port : "");
	return place->over_unix ? live_group_conninfo(LIVE_UNIX, more)
				: by_address(address_of(place), more);
}

pid_t home_of(const struct place *place)
{
	const struct live_program *const homes[] = {
		[OF_SERVER] = in_server,
		[OF_APPLICATION] = in_application,
		[OF_POD] = in_pod,
	};
	return place->home == MACHINE ? 0 : live_pid(homes[place->home]);
}

struct live_program *start_at(const struct place *place, bool nobodys, const char *role)
{
	return start_client(home_of(place), nobodys, way_of(place, place->name), role);
}

const char *way_to_server(enum way way)
{
	CLEANUP(cleanup_free) char *published = mem_printf("port=%d", PUBLISHED);
	if (way == OVER_UNIX)
		return live_group_conninfo(LIVE_UNIX, NULL);
	return way == OVER_PORT ? by_address("127.0.0.1", published)
				: by_address(server_address, "");
}

json_t *row_of(json_t *root, const char *name)
{
	json_t *row = live_find_text(root, "connections", "application_name", name);
	if (!row)
		fail_msg("no row of %s: %s", name, json_dumps(root, JSON_INDENT(1)));
	return row;
}

void check_text(json_t *row, const char *path, const char *expected)
{
	const char *found = live_text(row, path);
	if (expected ? !found || strcmp(found, expected) != 0 : found != NULL)
		fail_msg("%s is not %s: %s", path, expected ? expected : "null",
			json_dumps(row, JSON_INDENT(1)));
}

struct live_program *follow_as(const char *user)
{
	CLEANUP(cleanup_free) char *password = mem_printf("PGPASSWORD=%s", live_password());
	return live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "setpriv", "--reuid", user, "--regid", "nogroup",
			"--clear-groups", live_dbtop_path(), "--json", "--follow", "-i", "0.2",
			by_address(server_address, "user=app"), NULL },
		.env = (const char *const[]){ password, NULL } });
}

bool places_enter(void)
{
	machine = cables_enter();
	choose_addresses();
	return machine >= 0;
}
