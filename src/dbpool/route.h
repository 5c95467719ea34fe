/* Where a connection string leads: hosts in the order in which they are tried, and the addresses of
 * each. libpq leaves a silent address only in its blocking calls, which cannot be given up; so each
 * address is an attempt of its own, with a share of the time. */
#ifndef DBPOOL_ROUTE_H
#define DBPOOL_ROUTE_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_ADDRESSES 16 /* more of one name are not tried */

/* One host. Texts are never NULL; hostaddr is "" for a Unix socket and for a name to look up. */
struct route {
	const char *host, *hostaddr, *port;
};

struct routes {
	struct route *hosts;
	unsigned n;          /* 0: libpq is given the connection string as it is */
	int64_t each;        /* connect_timeout, in microseconds; INT64_MAX: none */
	bool prefer_standby; /* first only standbys, then all */
	bool random;         /* load_balance_hosts */
	char *texts[3];
};

struct addresses {
	char texts[ROUTE_ADDRESSES][NI_MAXHOST];
	unsigned n; /* 0: the host is a Unix socket */
};

/* As libpq takes it from the connection string, a service and the environment. 0 or -ENOMEM. */
int routes_read(const char *conninfo, struct routes *ret) __attribute__((warn_unused_result));
void routes_clear(struct routes *routes);

/* May wait for a name server. 0, or getaddrinfo()'s error. */
int route_addresses(const struct route *route, bool random, struct addresses *ret)
	__attribute__((warn_unused_result));

#endif
