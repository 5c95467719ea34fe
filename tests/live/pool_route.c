/* Roles whose first hosts are silent. */
#include "pool_client.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A listener whose queue is full: the kernel drops new connections, as if the machine were dead.
 * Returns its port; 0 is any port. */
static int black_hole(int port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(listener, (struct sockaddr *)&name, size) == 0 && listen(listener, 0) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&name, &size) == 0);
	for (int i = 0; i < 3; i++) {
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(filler, (struct sockaddr *)&name, size);
	}
	return ntohs(name.sin_port);
}

static int server_port(const char *conninfo)
{
	const char *port = strstr(conninfo, "port=");
	CHECK(port);
	return atoi(port + strlen("port="));
}

/* Lists n silent hosts before the server. */
static void lead_astray(char *text, size_t size, int n, const char *more)
{
	const char *conninfo = role_config().conninfo;
	int hole = black_hole(0), server = server_port(conninfo);
	int length = snprintf(text, size, "%s %s host=", conninfo, more);
	for (int i = 0; i <= n; i++)
		length += snprintf(text + length, size - (size_t)length, "%s127.0.0.%d",
			i ? "," : "", i < n ? 1 : 2);
	length += snprintf(text + length, size - (size_t)length, " port=");
	for (int i = 0; i < n; i++)
		length += snprintf(text + length, size - (size_t)length, "%d,", hole);
	snprintf(text + length, size - (size_t)length, "%d", server);
}

static void start_after(const struct dbpool_config *config, int64_t least_ms)
{
	int64_t before = role_now();
	role_start(config);
	CHECK(role_now() - before >= least_ms * 1000);
	CHECK(role_sessions() == 1);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
}

/* Each host gets a share of the deadline. It is long because a busy machine's server needs its
 * share, too. */
static int shares(const char *argument)
{
	struct dbpool_config config = role_config();
	char text[1000];
	(void)argument;
	lead_astray(text, sizeof(text), 1, "");
	config.conninfo = text;
	config.connect_timeout_ms = 20000;
	start_after(&config, 9900);
	/* prefer-standby is two rounds, and ends at a primary */
	lead_astray(text, sizeof(text), 1, "target_session_attrs=prefer-standby");
	start_after(&config, 4900);
	lead_astray(text, sizeof(text), 1, "target_session_attrs=standby connect_timeout=5");
	CHECK(dbpool_start(&config) == DBPOOL_UNREACHABLE);
	CHECK(strstr(dbpool_error(), "hot standby"));
	return 0;
}

/* libpq's connect_timeout applies to each address, even if all together take longer than the pool's
 * own timeout. */
static int libpq_timeout(const char *argument)
{
	struct dbpool_config config = role_config();
	char text[1000];
	bool environment = strcmp(argument, "environment") == 0;
	config.connect_timeout_ms = 0;
	if (environment)
		CHECK(setenv("PGCONNECT_TIMEOUT", "5", 1) == 0);
	lead_astray(text, sizeof(text), 2, environment ? "" : "connect_timeout=5");
	config.conninfo = text;
	start_after(&config, 9900);
	return 0;
}

/* One name with two addresses, from a hosts file in this mount namespace: 127.0.0.1 is silent, the
 * server is at 127.0.0.2. */
static int one_name(const char *argument)
{
	struct dbpool_config config = role_config();
	char path[] = "/tmp/pool-hosts-XXXXXX", text[400];
	static const char hosts[] = "127.0.0.1 twohomes.test\n127.0.0.2 twohomes.test\n";
	(void)argument;
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, hosts, sizeof(hosts) - 1) == sizeof(hosts) - 1);
	CHECK(fchmod(fd, 0644) == 0 && close(fd) == 0);
	CHECK(mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0);
	CHECK(unlink(path) == 0);
	black_hole(server_port(config.conninfo));
	snprintf(text, sizeof(text), "%s host=twohomes.test", config.conninfo);
	config.conninfo = text;
	config.connect_timeout_ms = 20000;
	role_start(&config);
	DBPOOL_SCOPED(lease, NULL);
	CHECK(strcmp(PQhost(dbpool_conn(&lease)), "twohomes.test") == 0);
	CHECK(strcmp(PQhostaddr(dbpool_conn(&lease)), "127.0.0.2") == 0);
	return 0;
}

const struct role roles_route[] = {
	{ "one-name", one_name },
	{ "shares", shares },
	{ "libpq-timeout", libpq_timeout },
	{ NULL, NULL },
};
