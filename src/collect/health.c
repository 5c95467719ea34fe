/* libcurl reports which sockets to watch and when to call it again; libuv does both. See
 * curl_multi_socket and CURLMOPT_SOCKETFUNCTION. */
#include "collect/health.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "loop/handle.h"

#define DEADLINE_MS 2000L
#define BODY_MOST   1024 /* the proxy's own answers are one line */

struct health_request {
	struct health *health;
	CURL *easy; /* NULL unless a request is running */
	char body[BODY_MOST];
	size_t length;
	struct proxy_probe probe;
};

struct health {
	uv_loop_t *loop;
	struct health_callbacks callbacks;
	char *url;
	CURLM *multi;
	uv_timer_t *timer;
	struct health_request requests[PROXY_PROBES];
	struct arena *texts, *next; /* the texts of the probes; those of the running round */
	struct proxy_probe probes[PROXY_PROBES];
	size_t under_way;
	int64_t asked_at;
};

static enum proxy_health read_unavailable(struct proxy_probe *probe)
{
	if (strstr(probe->text, "proxy is not started"))
		return PROXY_HEALTH_NOT_STARTED;
	if (strstr(probe->text, "proxy has stopped"))
		return PROXY_HEALTH_STOPPED;
	const char *full = strstr(probe->text, "max connections reached");
	if (!full)
		return PROXY_HEALTH_FAILING;
	int open, max;
	if (sscanf(full, "max connections reached (open = %9d, max = %9d)", &open, &max) == 2 &&
		open >= 0 && max >= 0) {
		probe->open = open;
		probe->max = max;
	}
	return PROXY_HEALTH_FULL;
}

struct proxy_probe health_read(struct arena *arena, long status, const char *body, size_t length)
{
	size_t line = 0;
	while (line < length && body[line] && body[line] != '\n' && body[line] != '\r')
		line++;
	struct proxy_probe probe = { .open = -1, .max = -1 };
	probe.text = text_clean(arena, body, line, TEXT_LINE);
	if (status == 200)
		probe.health = PROXY_HEALTH_OK;
	else if (status == 503)
		probe.health = read_unavailable(&probe);
	else
		probe.health = PROXY_HEALTH_STRANGE;
	if (probe.health == PROXY_HEALTH_STRANGE)
		probe.text = arena_printf(arena, "answers with status %ld", status);
	return probe;
}

static struct proxy_probe read_failure(struct arena *arena, CURLcode code)
{
	bool refused = code == CURLE_COULDNT_CONNECT;
	return (struct proxy_probe){
		.health = refused ? PROXY_HEALTH_OFF : PROXY_HEALTH_STRANGE,
		.text = refused ? NULL : arena_strdup(arena, curl_easy_strerror(code)),
		.open = -1,
		.max = -1,
	};
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
	struct health_request *request = data;
	size_t room = BODY_MOST - request->length, length = size * count;
	size_t taken = length < room ? length : room;
	memcpy(request->body + request->length, bytes, taken);
	request->length += taken;
	/* taking less than all ends the transfer: an answer this long is not from the proxy */
	return taken;
}

static void finish_request(struct health_request *request, CURLcode code)
{
	struct health *health = request->health;
	long status = 0;
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	request->probe = code == CURLE_OK || (code == CURLE_WRITE_ERROR && status)
		? health_read(health->next, status, request->body, request->length)
		: read_failure(health->next, code);
	curl_multi_remove_handle(health->multi, request->easy);
	curl_easy_cleanup(request->easy);
	request->easy = NULL;
	health->under_way--;
}

static void finish_round(struct health *health)
{
	struct arena *old = health->texts;
	health->texts = health->next;
	health->next = NULL;
	arena_free(old);
	for (size_t i = 0; i < PROXY_PROBES; i++)
		health->probes[i] = health->requests[i].probe;
	health->asked_at = instant_now();
	health->callbacks.asked(health->callbacks.data);
}

static void collect_finished(struct health *health)
{
	const CURLMsg *message;
	int left;
	size_t before = health->under_way;
	while ((message = curl_multi_info_read(health->multi, &left))) {
		struct health_request *request = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
		finish_request(request, code);
	}
	if (before && !health->under_way)
		finish_round(health);
}

static void on_timer(uv_timer_t *timer)
{
	struct health *health = timer->data;
	int running;
	curl_multi_socket_action(health->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(health);
}

/* A watched socket; freed once its handle is closed. */
struct watched_socket {
	uv_poll_t poll;
	struct health *health;
	curl_socket_t socket;
};

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct watched_socket *watch = poll->data;
	struct health *health = watch->health;
	int flags = 0, running;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	if (status < 0)
		flags = CURL_CSELECT_ERR;
	curl_multi_socket_action(health->multi, watch->socket, flags, &running);
	collect_finished(health);
}

static int on_watch(CURL *easy, curl_socket_t socket, int what, void *data, void *socket_data)
{
	(void)easy;
	struct health *health = data;
	struct watched_socket *watch = socket_data;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, free_watch);
		curl_multi_assign(health->multi, socket, NULL);
		return 0;
	}
	if (!watch) {
		watch = mem_alloc(sizeof(*watch));
		watch->health = health;
		watch->socket = socket;
		if (uv_poll_init_socket(health->loop, &watch->poll, socket) != 0) {
			free(watch);
			return -1;
		}
		watch->poll.data = watch;
		curl_multi_assign(health->multi, socket, watch);
	}
	int events = 0;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&watch->poll, events, on_socket);
	return 0;
}

static int on_wake(CURLM *multi, long ms, void *data)
{
	(void)multi;
	struct health *health = data;
	if (ms < 0)
		uv_timer_stop(health->timer);
	else
		uv_timer_start(health->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

struct health *health_new(
	uv_loop_t *loop, const char *url, const struct health_callbacks *callbacks)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return NULL;
	struct health *health = mem_alloc(sizeof(*health));
	health->multi = curl_multi_init();
	if (!health->multi) {
		free(health);
		return NULL;
	}
	health->loop = loop;
	health->callbacks = *callbacks;
	health->url = mem_strdup(url);
	health->asked_at = INSTANT_UNKNOWN;
	health->timer = handle_new_timer(loop, health);
	curl_multi_setopt(health->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(health->multi, CURLMOPT_SOCKETDATA, health);
	curl_multi_setopt(health->multi, CURLMOPT_TIMERFUNCTION, on_wake);
	curl_multi_setopt(health->multi, CURLMOPT_TIMERDATA, health);
	return health;
}

void health_free(struct health *health)
{
	if (!health)
		return;
	for (size_t i = 0; i < PROXY_PROBES; i++) {
		if (!health->requests[i].easy)
			continue;
		curl_multi_remove_handle(health->multi, health->requests[i].easy);
		curl_easy_cleanup(health->requests[i].easy);
	}
	curl_multi_cleanup(health->multi);
	handle_close(health->timer);
	arena_free(health->texts);
	arena_free(health->next);
	free(health->url);
	free(health);
	curl_global_cleanup();
}

static void start_request(struct health *health, size_t probe)
{
	struct health_request *request = &health->requests[probe];
	size_t length = strlen(health->url);
	bool slash = length && health->url[length - 1] == '/';
	*request = (struct health_request){ .health = health, .easy = curl_easy_init() };
	request->probe = (struct proxy_probe){ .open = -1, .max = -1 };
	if (!request->easy)
		return;
	char *url = mem_printf("%s%s%s", health->url, slash ? "" : "/", proxy_probe_name(probe));
	curl_easy_setopt(request->easy, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(request->easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(request->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, DEADLINE_MS);
	curl_easy_setopt(request->easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* do not wait for a thread that looks up a name */
	curl_easy_setopt(request->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	/* the endpoint is on this machine: do not use a proxy from the environment, and do not
	 * follow redirections */
	curl_easy_setopt(request->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(request->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(request->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(request->easy, CURLOPT_USERAGENT, "dbtop");
	if (curl_multi_add_handle(health->multi, request->easy) != CURLM_OK) {
		curl_easy_cleanup(request->easy);
		request->easy = NULL;
		return;
	}
	health->under_way++;
}

void health_ask(struct health *health)
{
	if (health->under_way)
		return;
	arena_free(health->next);
	health->next = arena_new();
	for (size_t i = 0; i < PROXY_PROBES; i++)
		start_request(health, i);
}

const struct proxy_probe *health_probe(const struct health *health, size_t probe)
{
	return &health->probes[probe];
}

int64_t health_asked_at(const struct health *health)
{
	return health->asked_at;
}
