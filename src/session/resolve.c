/* Names to addresses through uv_getaddrinfo(). */
#include "session/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* More addresses than this are not tried: a hostile resolver must not make libpq's list endless. */
#define MOST_ADDRESSES 8

struct resolve {
	uv_getaddrinfo_t request;
	char *host;
	resolve_done_fn *done; /* NULL once abandoned */
	void *data;
};

bool resolve_is_name(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	return host && *host && *host != '/' && *host != '@' && !strchr(host, ',') &&
		inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

static char *append(char *list, const char *item)
{
	char *longer = list ? mem_printf("%s,%s", list, item) : mem_strdup(item);
	free(list);
	return longer;
}

static void hand_over(struct resolve *resolve, const struct addrinfo *addresses)
{
	CLEANUP(cleanup_free) char *hosts = NULL;
	CLEANUP(cleanup_free) char *list = NULL;
	int count = 0;
	for (const struct addrinfo *a = addresses; a && count < MOST_ADDRESSES; a = a->ai_next) {
		char text[INET6_ADDRSTRLEN];
		if (getnameinfo(
			    a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST))
			continue;
		hosts = append(hosts, resolve->host);
		list = append(list, text);
		count++;
	}
	resolve->done(resolve->data, hosts, list, list ? NULL : "no address");
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct resolve *resolve = request->data;
	if (resolve->done && status == 0)
		hand_over(resolve, addresses);
	else if (resolve->done)
		resolve->done(resolve->data, NULL, NULL, uv_strerror(status));
	uv_freeaddrinfo(addresses);
	free(resolve->host);
	free(resolve);
}

struct resolve *resolve_start(uv_loop_t *loop, const char *host, resolve_done_fn *done, void *data)
{
	struct resolve *resolve = mem_alloc(sizeof(*resolve));
	resolve->host = mem_strdup(host);
	resolve->done = done;
	resolve->data = data;
	resolve->request.data = resolve;
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	/* it fails only for bad arguments or without memory */
	if (uv_getaddrinfo(loop, &resolve->request, on_resolved, host, NULL, &hints) != 0)
		abort();
	return resolve;
}

void resolve_abandon(struct resolve *resolve)
{
	if (!resolve)
		return;
	resolve->done = NULL;
	(void)uv_cancel((uv_req_t *)&resolve->request);
}
