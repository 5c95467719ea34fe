/* libmicrohttpd with its epoll descriptor in our loop. Each connection serves one request and has a
 * few seconds, however it dribbles; if there are too many, the oldest is closed for the newest. */
#include "modes/metrics_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "report/metrics_accept.h"

/* One connection: from accept() to its end. */
#define CONNECTION_TIME (10 * USEC_PER_SEC)

#define CONNECTIONS_MAX 64

/* For the request of one connection. */
#define REQUEST_BYTES_MAX (16 * 1024)

#define CHECK_EVERY_MS 1000

struct client {
	int socket; /* −1: closed by us */
	int64_t since;
	struct client *previous, *next; /* the newest first */
};

struct metrics_server {
	struct metrics_server_callbacks callbacks;
	char url[128];
	struct MHD_Daemon *daemon;
	uv_poll_t *poll;
	uv_timer_t *turn;                                     /* libmicrohttpd's own timeouts */
	uv_timer_t *check;                                    /* ours */
	struct MHD_Response *responses[METRICS_FORMAT_COUNT]; /* NULL: to be made */
	struct client *newest;
	size_t n_clients;
};

/* --- clients --- */

/* libmicrohttpd sees the end, and closes the socket. */
static void hang_up(struct client *client)
{
	if (client->socket >= 0)
		(void)shutdown(client->socket, SHUT_RDWR);
	client->socket = -1;
}

static void hang_up_oldest(struct metrics_server *server)
{
	struct client *oldest = NULL;
	for (struct client *client = server->newest; client; client = client->next)
		if (client->socket >= 0)
			oldest = client;
	if (oldest)
		hang_up(oldest);
}

static void add_client(
	struct metrics_server *server, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *client = mem_alloc(sizeof(*client));
	client->socket = info ? info->connect_fd : -1;
	client->since = instant_monotonic();
	client->next = server->newest;
	if (client->next)
		client->next->previous = client;
	server->newest = client;
	*context = client;
	if (++server->n_clients > CONNECTIONS_MAX)
		hang_up_oldest(server);
}

static void remove_client(struct metrics_server *server, struct client *client)
{
	if (client->previous)
		client->previous->next = client->next;
	else
		server->newest = client->next;
	if (client->next)
		client->next->previous = client->previous;
	server->n_clients--;
	free(client);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		add_client(data, connection, context);
	else if (*context)
		remove_client(data, *context);
}

/* --- answers --- */

static struct MHD_Response *new_response(
	char *text, size_t length, enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);
	if (!response)
		return NULL;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

static enum MHD_Result answer_text(
	struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct MHD_Response *response = new_response(
		(char *)text, strlen(text), MHD_RESPMEM_MUST_COPY, "text/plain; charset=utf-8");
	if (!response)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result queued = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return queued;
}

/* Clients that still read an older text keep it. */
static enum MHD_Result answer_metrics(
	struct metrics_server *server, struct MHD_Connection *connection)
{
	const char *accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	enum metrics_format format = metrics_accepted(accept);
	struct MHD_Response **response = &server->responses[format];
	if (!*response) {
		size_t length;
		char *text = server->callbacks.render(server->callbacks.data, format, &length);
		if (!text)
			return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
				"the metrics cannot be made\n");
		*response = new_response(
			text, length, MHD_RESPMEM_MUST_FREE, metrics_content_type(format));
	}
	return *response ? MHD_queue_response(connection, MHD_HTTP_OK, *response) : MHD_NO;
}

static enum MHD_Result answer_health(
	const struct metrics_server *server, struct MHD_Connection *connection)
{
	char line[128];
	bool is_fresh = server->callbacks.check(server->callbacks.data, line);
	return answer_text(connection, is_fresh ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, line);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *body, size_t *body_size,
	void **context)
{
	(void)version, (void)body, (void)body_size, (void)context;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(data, connection);
	if (strcmp(url, "/healthz") == 0)
		return answer_health(data, connection);
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "/metrics and /healthz are here\n");
}

/* --- the loop --- */

static void on_turn(uv_timer_t *timer);

static void turn(struct metrics_server *server)
{
	MHD_UNSIGNED_LONG_LONG ms;
	MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &ms) == MHD_YES)
		uv_timer_start(server->turn, on_turn, ms, 0);
	else
		uv_timer_stop(server->turn);
}

static void on_turn(uv_timer_t *timer)
{
	turn(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	turn(poll->data);
}

static void on_check(uv_timer_t *timer)
{
	struct metrics_server *server = timer->data;
	int64_t now = instant_monotonic();
	for (struct client *client = server->newest; client; client = client->next)
		if (now - client->since > CONNECTION_TIME)
			hang_up(client);
	if (server->newest)
		turn(server);
}

/* --- the address --- */

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static int read_port(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	long port = digits > 0 && digits < 6 && !text[digits] ? strtol(text, NULL, 10) : -1;
	if (port < 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = htons((uint16_t)port);
	return 0;
}

/* Returns the length of the address, or −EINVAL. */
static int read_address(const char *where, union address *ret_address)
{
	const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
	char host[64] = "127.0.0.1";
	size_t length = colon ? (size_t)(colon - where) : 0;
	if (length >= sizeof(host))
		return -EINVAL;
	if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)length, where);
	*ret_address = (union address){ 0 };
	if (host[0] == '[' && length > 2 && host[length - 1] == ']') {
		host[length - 1] = '\0';
		ret_address->ip6.sin6_family = AF_INET6;
		if (inet_pton(AF_INET6, host + 1, &ret_address->ip6.sin6_addr) == 1 &&
			read_port(port, &ret_address->ip6.sin6_port) == 0)
			return (int)sizeof(ret_address->ip6);
		return -EINVAL;
	}
	ret_address->ip4.sin_family = AF_INET;
	if (inet_pton(AF_INET, host, &ret_address->ip4.sin_addr) == 1 &&
		read_port(port, &ret_address->ip4.sin_port) == 0)
		return (int)sizeof(ret_address->ip4);
	return -EINVAL;
}

static int open_socket(const union address *address, socklen_t length)
{
	int one = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address->any, length) < 0 || listen(fd, CONNECTIONS_MAX) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void name_url(struct metrics_server *server, int fd)
{
	union address address = { 0 };
	socklen_t length = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";
	(void)getsockname(fd, &address.any, &length);
	bool is_ip6 = address.any.sa_family == AF_INET6;
	inet_ntop(address.any.sa_family,
		is_ip6 ? (void *)&address.ip6.sin6_addr : (void *)&address.ip4.sin_addr, host,
		sizeof(host));
	snprintf(server->url, sizeof(server->url), "http://%s%s%s:%u/metrics", is_ip6 ? "[" : "",
		host, is_ip6 ? "]" : "",
		ntohs(is_ip6 ? address.ip6.sin6_port : address.ip4.sin_port));
}

/* Takes the socket. */
static int start_daemon(struct metrics_server *server, uv_loop_t *loop, int fd)
{
	server->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(2 * CONNECTIONS_MAX), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REQUEST_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)(CONNECTION_TIME / USEC_PER_SEC), MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, server, MHD_OPTION_END);
	if (!server->daemon) {
		close(fd);
		return -ENOMEM;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->poll = mem_alloc(sizeof(*server->poll));
	if (!info || uv_poll_init(loop, server->poll, info->epoll_fd) != 0) {
		free(server->poll);
		server->poll = NULL;
		MHD_stop_daemon(server->daemon);
		return -EIO;
	}
	server->poll->data = server;
	uv_poll_start(server->poll, UV_READABLE, on_poll);
	return 0;
}

int metrics_server_new(uv_loop_t *loop, const char *where,
	const struct metrics_server_callbacks *callbacks, struct metrics_server **ret_server,
	char error[static METRICS_SERVER_ERROR_MAX])
{
	union address address;
	int length = read_address(where, &address);
	if (length < 0) {
		snprintf(error, METRICS_SERVER_ERROR_MAX,
			"expected [ADDRESS:]PORT with a numeric address, found \"%.80s\"", where);
		return length;
	}
	int fd = open_socket(&address, (socklen_t)length);
	if (fd < 0) {
		snprintf(error, METRICS_SERVER_ERROR_MAX, "%.80s: %s", where, strerror(-fd));
		return fd;
	}
	struct metrics_server *server = mem_alloc(sizeof(*server));
	server->callbacks = *callbacks;
	name_url(server, fd);
	int r = start_daemon(server, loop, fd);
	if (r < 0) {
		snprintf(error, METRICS_SERVER_ERROR_MAX, "libmicrohttpd does not start");
		free(server);
		return r;
	}
	server->turn = handle_new_timer(loop, server);
	server->check = handle_new_timer(loop, server);
	uv_timer_start(server->check, on_check, CHECK_EVERY_MS, CHECK_EVERY_MS);
	*ret_server = server;
	return 0;
}

void metrics_server_free(struct metrics_server *server)
{
	if (!server)
		return;
	handle_close(server->poll);
	handle_close(server->turn);
	handle_close(server->check);
	metrics_server_changed(server);
	MHD_stop_daemon(server->daemon);
	free(server);
}

const char *metrics_server_url(const struct metrics_server *server)
{
	return server->url;
}

void metrics_server_changed(struct metrics_server *server)
{
	for (int i = 0; i < METRICS_FORMAT_COUNT; i++) {
		if (server->responses[i])
			MHD_destroy_response(server->responses[i]);
		server->responses[i] = NULL;
	}
}
