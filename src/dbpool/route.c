/* Reads the hosts of a connection string. */
#include "dbpool/route.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "dbpool/config.h"

static const char *find(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *option = options; option && option->keyword; option++)
		if (strcmp(option->keyword, keyword) == 0 && option->val)
			return option->val;
	return "";
}

/* Lets libpq resolve the string. libpq has no call that only does this, so the options contain an
 * invalid sslmode: the attempt then fails after all is read, and before a name is looked up or a
 * server connected to. They also contain a password: otherwise libpq would read the password file,
 * and might print a warning about it to stderr. */
static PQconninfoOption *read_options(const char *conninfo)
{
	static const char *const keywords[] = { "dbname", "sslmode", "password", NULL };
	const char *const values[] = { conninfo, "none", "none", NULL };
	/* an empty string would count as a database name */
	int from = conninfo[0] ? 0 : 1;
	PGconn *conn = PQconnectStartParams(keywords + from, values + from, 1);
	PQconninfoOption *options = conn ? PQconninfo(conn) : NULL;
	PQfinish(conn);
	return options;
}

static unsigned count(const char *list)
{
	unsigned n = *list != '\0';
	for (; *list; list++)
		n += *list == ',';
	return n;
}

/* Removes the next element from a list and returns it. */
static const char *next(char **list)
{
	char *element = strsep(list, ",");
	return element ? element : "";
}

static bool is_socket(const char *host)
{
	return host[0] == '/' || host[0] == '@';
}

/* Returns false when the string needs a default that only libpq knows, or when libpq rejects it. */
static bool split(struct routes *routes, unsigned n)
{
	char *hosts = routes->texts[0], *addresses = routes->texts[1], *ports = routes->texts[2];
	unsigned n_ports = count(ports);
	bool some = *addresses != '\0';
	if ((*hosts && count(hosts) != n) || (some && count(addresses) != n) ||
		(n_ports > 1 && n_ports != n))
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct route *route = &routes->hosts[i];
		route->host = next(&hosts);
		route->hostaddr = next(&addresses);
		if (n_ports > 1 || i == 0)
			route->port = next(&ports);
		else
			route->port = routes->hosts[0].port;
		if (!*route->port)
			route->port = "5432";
		if (!*route->hostaddr && (!*route->host || (some && is_socket(route->host))))
			return false;
	}
	return true;
}

static unsigned below(unsigned n)
{
	unsigned random = 0;
	return getrandom(&random, sizeof(random), 0) == sizeof(random) ? random % n : 0;
}

static void shuffle_hosts(struct routes *routes)
{
	for (unsigned i = routes->n; i > 1; i--) {
		unsigned j = below(i);
		struct route last = routes->hosts[i - 1];
		routes->hosts[i - 1] = routes->hosts[j];
		routes->hosts[j] = last;
	}
}

int routes_read(const char *conninfo, struct routes *ret)
{
	static const char *const lists[] = { "host", "hostaddr", "port" };
	struct routes routes = { .each = INT64_MAX };
	PQconninfoOption *options = read_options(conninfo);
	if (!options)
		return -ENOMEM;
	bool good = true;
	for (int i = 0; i < 3; i++) {
		routes.texts[i] = strdup(find(options, lists[i]));
		good = good && routes.texts[i];
	}
	int seconds = atoi(find(options, "connect_timeout"));
	if (seconds > 0)
		routes.each = seconds * INT64_C(1000000);
	routes.prefer_standby =
		strcmp(find(options, "target_session_attrs"), "prefer-standby") == 0;
	routes.random = strcmp(find(options, "load_balance_hosts"), "random") == 0;
	unsigned n = good ? count(routes.texts[*routes.texts[1] ? 1 : 0]) : 0;
	config_free_options(options);
	routes.hosts = calloc(n ? n : 1, sizeof(*routes.hosts));
	if (!good || !routes.hosts) {
		routes_clear(&routes);
		return -ENOMEM;
	}
	routes.n = split(&routes, n) ? n : 0;
	if (routes.random)
		shuffle_hosts(&routes);
	*ret = routes;
	return 0;
}

void routes_clear(struct routes *routes)
{
	for (int i = 0; i < 3; i++)
		free(routes->texts[i]);
	free(routes->hosts);
	*routes = (struct routes){ 0 };
}

int route_addresses(const struct route *route, bool random, struct addresses *ret)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	*ret = (struct addresses){ 0 };
	if (*route->hostaddr) {
		strncpy(ret->texts[ret->n++], route->hostaddr, NI_MAXHOST - 1);
		return 0;
	}
	if (is_socket(route->host))
		return 0;
	int r = getaddrinfo(route->host, route->port, &hints, &list);
	if (r != 0)
		return r;
	for (struct addrinfo *at = list; at && ret->n < ROUTE_ADDRESSES; at = at->ai_next) {
		unsigned place = random ? below(ret->n + 1) : ret->n;
		memmove(ret->texts[ret->n], ret->texts[place], NI_MAXHOST);
		if (getnameinfo(at->ai_addr, at->ai_addrlen, ret->texts[place], NI_MAXHOST, NULL, 0,
			    NI_NUMERICHOST) == 0)
			ret->n++;
	}
	freeaddrinfo(list);
	return ret->n ? 0 : EAI_NONAME;
}
