/* The servers that a connection string names: hosts in the order in which they are tried, and the
 * addresses of each. libpq gives up a silent address only in its blocking calls, which cannot be
 * interrupted. So dbpool tries each address in an attempt of its own, with a share of the time. */
#ifndef DBPOOL_ROUTE_H
#define DBPOOL_ROUTE_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_ADDRESSES 16 /* further addresses of a name are not tried */

/* One host. Texts are never NULL. hostaddr is "" for a Unix socket and for a name that must be
 * looked up. */
struct route {
	const char *host, *hostaddr, *port;
};

struct routes {
	struct route *hosts;
	unsigned n;          /* 0: libpq gets the connection string unchanged */
	int64_t each;        /* connect_timeout, in microseconds; INT64_MAX: none */
	bool prefer_standby; /* try only standbys first, then all */
	bool random;         /* load_balance_hosts */
	char *texts[3];
};

struct addresses {
	char texts[ROUTE_ADDRESSES][NI_MAXHOST];
	unsigned n; /* 0: the host is a Unix socket */
};

/* Reads the hosts as libpq does: from the connection string, the service file and the environment.
 * Returns 0 or -ENOMEM. */
int routes_read(const char *conninfo, struct routes *ret) __attribute__((warn_unused_result));
void routes_clear(struct routes *routes);

/* Looks the host's addresses up; may wait for a name server. Returns 0 or getaddrinfo()'s error. */
int route_addresses(const struct route *route, bool random, struct addresses *ret)
	__attribute__((warn_unused_result));

#endif
