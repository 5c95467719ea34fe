/* Combines three sources, each with its own interval, into one block. */
#include "collect/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/forwarder.h"
#include "collect/health.h"
#include "collect/probe.h"
#include "loop/worker.h"
#include "model/proxy.h"
#include "session/params.h"

#define PROBE_EVERY  (30 * USEC_PER_SEC)
#define PROBE_AGAIN  (10 * USEC_PER_SEC) /* after a failed attempt */
#define HEALTH_EVERY (5 * USEC_PER_SEC)
#define HEALTH_AGAIN (30 * USEC_PER_SEC) /* for an endpoint that is switched off */

/* A scan that takes longer waits for a process that hangs in the kernel. */
#define SCAN_TIMEOUT (5 * USEC_PER_SEC)

/* A round trip is a proof until the next one is overdue. */
#define PROOF_LASTS (PROBE_EVERY + 15 * USEC_PER_SEC)

/* What is known of the connection through the proxy. */
struct proof {
	int32_t pid; /* the listening process: the proof is valid only for it */
	uint64_t start_ticks;
	int64_t at;      /* monotonic; −1: none */
	int64_t wall_at; /* our wall clock */
	int64_t latency;
	char *failure; /* why the last attempt failed, clean; NULL if it succeeded */
};

struct proxy_watch {
	uv_loop_t *loop;
	struct proxy_options options;
	char *process, *health_url;
	char probe_name[40];
	struct params params;
	struct forwarder *forwarder;
	struct health *health; /* NULL until it is asked first: libcurl starts slowly */
	struct probe *probe;   /* running or finished; NULL before the first */
	bool probing;
	int64_t next_probe, next_health, scanned_at; /* monotonic */
	struct proof proof;
	struct proxy *latest; /* NULL: there is no port to scan */
	bool scanned;         /* a scan has been done */
	bool overdue;         /* the scan under way takes too long, which was reported */
	bool unreadable;      /* the last scan failed */
	bool was_our_path;    /* at the last scan */

	struct peers_target where; /* the path of dbtop's own connection, as last set */
	bool own_answers;
	int64_t own_latency;

	/* the worker's while a scan runs */
	struct worker *worker;
	struct proxy *next;
	struct peers_target scan_where;
	int result;
};

/* The name of dbtop's probe is random: dbtop never ends its own sessions, and a name that other
 * programs could use would protect theirs, too. */
static void make_name(char *name, size_t size)
{
	uint64_t token = 0;
	(void)!getrandom(&token, sizeof(token), 0);
	snprintf(name, size, "dbtop probe %016llx", (unsigned long long)token);
}

static void destroy(void *data)
{
	struct proxy_watch *watch = data;
	proxy_unref(watch->latest);
	proxy_unref(watch->next);
	forwarder_free(watch->forwarder);
	params_clear(&watch->params);
	free(watch->proof.failure);
	free(watch->process);
	free(watch->health_url);
	free(watch);
}

void proxy_watch_free(struct proxy_watch *watch)
{
	if (!watch)
		return;
	health_free(watch->health);
	probe_free(watch->probe);
	worker_free(watch->worker);
}

/* True if we connect over a Unix socket, which may be a proxy's: …/INSTANCE/.s.PGSQL.5432. */
static bool is_at_unix_socket(const struct peers_target *where)
{
	return where->server.family == AF_UNIX && where->socket_inode;
}

/* The port to scan; 0: none. */
static uint16_t port_of(const struct proxy_watch *watch)
{
	const struct endpoint *server = &watch->where.server;
	if (!*watch->process)
		return 0;
	if (watch->options.port)
		return watch->options.port;
	if (is_at_unix_socket(&watch->where))
		return watch->where.port;
	bool inet = server->family == AF_INET || server->family == AF_INET6;
	return inet && endpoint_is_loopback(server) ? watch->where.port : 0;
}

/* True if our own connection ends at the listener. */
static bool is_our_path(const struct proxy_watch *watch, const struct proxy *proxy)
{
	const struct endpoint *server = &watch->where.server;
	if (watch->where.own.family == AF_UNSPEC || watch->where.port != proxy->port)
		return false;
	if (proxy->listener.family == AF_UNIX || watch->where.own.family == AF_UNIX)
		return proxy->listener.family == watch->where.own.family;
	return endpoint_is_loopback(server) || endpoint_same_address(server, &proxy->listener);
}

static void forget_proof(struct proof *proof)
{
	free(proof->failure);
	*proof = (struct proof){ .at = -1, .latency = -1, .wall_at = INSTANT_UNKNOWN };
}

static void set_proof(struct proxy_watch *watch, int64_t latency)
{
	struct proof *proof = &watch->proof;
	free(proof->failure);
	proof->failure = NULL;
	proof->at = instant_monotonic();
	proof->wall_at = instant_now();
	proof->latency = latency;
}

static void withdraw_proof(struct proxy_watch *watch)
{
	if (watch->proof.at >= 0)
		watch->next_probe = 0;
	watch->proof.at = -1;
}

/* Forgets the proof if another process listens on the port now. */
static void check_identity(struct proxy_watch *watch, const struct proxy *proxy)
{
	struct proof *proof = &watch->proof;
	if (proxy->status == PROXY_LISTENING && proof->pid == proxy->process.pid &&
		proof->start_ticks == proxy->process.start_ticks)
		return;
	forget_proof(proof);
	proof->pid = proxy->status == PROXY_LISTENING ? proxy->process.pid : 0;
	proof->start_ticks = proxy->process.start_ticks;
	watch->next_probe = watch->next_health = 0;
}

static bool is_fresh(const struct proof *proof)
{
	return proof->at >= 0 && instant_monotonic() - proof->at <= PROOF_LASTS;
}

static bool has_health(const struct proxy_watch *watch)
{
	return *watch->process && *watch->health_url;
}

static void add_health(const struct proxy_watch *watch, struct proxy *proxy)
{
	if (!watch->health || !watch->next_health)
		return;
	proxy->health_at = health_asked_at(watch->health);
	for (size_t i = 0; i < PROXY_PROBES && proxy->health_at != INSTANT_UNKNOWN; i++) {
		proxy->probes[i] = *health_probe(watch->health, i);
		proxy->probes[i].text = arena_strdup(proxy->arena, proxy->probes[i].text);
	}
}

/* The text of the endpoint that reports a problem, the worst first; NULL if none does. */
static const char *health_detail(const struct proxy *proxy)
{
	for (size_t i = 0; i < PROXY_PROBES; i++)
		if (proxy->probes[i].health >= PROXY_HEALTH_NOT_STARTED &&
			proxy->probes[i].health <= PROXY_HEALTH_FAILING)
			return proxy->probes[i].text;
	return NULL;
}

/* Why it is not known any more which process listens; NULL: it is known. */
static const char *why_unknown(const struct proxy_watch *watch)
{
	if (watch->overdue)
		return "reading this machine's processes takes too long";
	return watch->unreadable ? "the kernel's table of sockets cannot be read" : NULL;
}

/* Withdraws that a process listens: the socket that we connect to is then the server's own. */
static void set_no_listener(struct proxy *proxy, enum proxy_status status, const char *detail)
{
	peers_unref(proxy->peers);
	proxy->peers = NULL;
	proxy->status = status;
	proxy->detail = detail;
	proxy->listener = (struct endpoint){ .family = AF_UNSPEC };
	proxy->process = (struct process){ .pid = 0 };
	proxy->executable = NULL;
	proxy->inode = 0;
}

/* Adds to the kernel's facts what the other sources know. */
static void complete(struct proxy_watch *watch, struct proxy *proxy)
{
	proxy->expected = watch->options.expected;
	proxy->probe_name = arena_strdup(proxy->arena, watch->probe_name);
	if (has_health(watch))
		proxy->health_url = arena_strdup(proxy->arena, watch->health_url);
	const char *why = why_unknown(watch);
	if (proxy->status < PROXY_LISTENING) {
		if (why)
			set_no_listener(proxy, PROXY_UNKNOWN, why);
		return;
	}
	proxy->our_path = is_our_path(watch, proxy);
	if (proxy->our_path && watch->own_answers && watch->own_latency >= 0)
		set_proof(watch, watch->own_latency);
	else if (proxy->our_path || watch->was_our_path)
		/* the proof is over: a new attempt may renew it */
		withdraw_proof(watch);
	watch->was_our_path = proxy->our_path;
	add_health(watch, proxy);
	proxy->latency = watch->proof.latency;
	proxy->proven_at = watch->proof.wall_at;
	proxy->detail = health_detail(proxy);
	if (why)
		proxy->detail = why;
	else if (is_fresh(&watch->proof) && !watch->proof.failure)
		proxy->status = PROXY_SERVING;
	else if (!proxy->detail && watch->proof.failure)
		proxy->detail = arena_strdup(proxy->arena, watch->proof.failure);
}

/* Copies the kernel's part of a block, so that it can be completed again. */
static struct proxy *renewed(const struct proxy *from)
{
	struct proxy *proxy = proxy_new();
	struct arena *arena = proxy->arena;
	proxy->wanted = arena_strdup(arena, from->wanted);
	proxy->port = from->port;
	proxy->status = from->status > PROXY_LISTENING ? PROXY_LISTENING : from->status;
	if (proxy->status < PROXY_LISTENING)
		proxy->detail = arena_strdup(arena, from->detail);
	proxy->listener = from->listener;
	proxy->inode = from->inode;
	proxy->process = process_copy(arena, &from->process);
	proxy->executable = arena_strdup(arena, from->executable);
	proxy->uid = from->uid;
	proxy->our_uid = from->our_uid;
	proxy->peers = from->peers ? peers_ref(from->peers) : NULL;
	return proxy;
}

static void take(struct proxy_watch *watch, struct proxy *proxy)
{
	complete(watch, proxy);
	proxy_unref(watch->latest);
	watch->latest = proxy;
}

static void publish_again(struct proxy_watch *watch)
{
	if (!watch->latest)
		return;
	take(watch, renewed(watch->latest));
	watch->options.published(watch->options.data);
}

static void on_health(void *data)
{
	struct proxy_watch *watch = data;
	bool off = health_probe(watch->health, 0)->health == PROXY_HEALTH_OFF;
	watch->next_health = instant_monotonic() + (off ? HEALTH_AGAIN : HEALTH_EVERY);
	publish_again(watch);
}

/* Any program can demand a password or refuse a connection. Such an answer is accepted as a proof
 * only from a program of our own user or of root: such a program can learn our secrets in other
 * ways. */
static bool is_believed(const struct probe_result *result, const struct proxy *proxy)
{
	return result->verified || proxy->uid == proxy->our_uid || proxy->uid == 0;
}

static char *write_failure(const struct probe_result *result, const struct proxy *proxy)
{
	if (result->answered)
		return mem_printf("it answers, but it is another user's program (uid %u): it is "
				  "not proven that it leads to the server",
			proxy->uid);
	struct arena *arena = arena_new();
	char *failure =
		mem_strdup(text_clean(arena, result->text, strcspn(result->text, "\n"), TEXT_LINE));
	arena_free(arena);
	return failure;
}

static void on_probe(void *data, const struct probe_result *result)
{
	struct proxy_watch *watch = data;
	watch->probing = false;
	watch->next_probe = instant_monotonic() + (result->answered ? PROBE_EVERY : PROBE_AGAIN);
	/* there is no proxy to scan for any more */
	if (!watch->latest)
		return;
	if (result->answered && is_believed(result, watch->latest)) {
		set_proof(watch, result->took);
	} else {
		free(watch->proof.failure);
		watch->proof.failure = write_failure(result, watch->latest);
	}
	publish_again(watch);
}

static void ask_health(struct proxy_watch *watch, int64_t now)
{
	const struct health_callbacks callbacks = { .data = watch, .asked = on_health };
	if (!watch->health)
		watch->health = health_new(watch->loop, watch->health_url, &callbacks);
	watch->next_health = now + HEALTH_EVERY;
	if (watch->health)
		health_ask(watch->health);
}

/* When it is due, asks what the kernel cannot show. */
static void ask(struct proxy_watch *watch)
{
	const struct proxy *proxy = watch->latest;
	int64_t now = instant_monotonic();
	if (proxy->status < PROXY_LISTENING)
		return;
	if (has_health(watch) && now >= watch->next_health)
		ask_health(watch, now);
	if (watch->probing || (watch->probe && probe_is_running(watch->probe)) ||
		now < watch->next_probe || (proxy->our_path && proxy->status == PROXY_SERVING))
		return;
	probe_free(watch->probe);
	watch->probing = true;
	watch->probe = probe_start(
		watch->loop, &watch->params, &proxy->listener, watch->probe_name, on_probe, watch);
}

/* A configured port is scanned first: a proxy may listen there while our socket is the server's. */
static void scan_on_worker(void *data)
{
	struct proxy_watch *watch = data;
	struct proxy *proxy = watch->next;
	const struct peers_target *where = &watch->scan_where;
	bool has_socket = is_at_unix_socket(where) && where->port == proxy->port;
	bool socket_first = has_socket && !watch->options.port;
	watch->result =
		forwarder_scan(watch->forwarder, instant_monotonic(), where, socket_first, proxy);
	if (!has_socket || socket_first || watch->result < 0 || proxy->status != PROXY_ABSENT)
		return;
	const char *absent = proxy->detail;
	watch->result = forwarder_scan(watch->forwarder, instant_monotonic(), where, true, proxy);
	if (proxy->status < PROXY_LISTENING)
		set_no_listener(proxy, PROXY_ABSENT, absent);
}

static void after_scan(void *data)
{
	struct proxy_watch *watch = data;
	struct proxy *proxy = watch->next;
	watch->next = NULL;
	watch->overdue = false;
	watch->unreadable = watch->result < 0;
	watch->scanned = true;
	if (watch->unreadable) {
		proxy_unref(proxy);
		publish_again(watch);
		return;
	}
	check_identity(watch, proxy);
	take(watch, proxy);
	/* before publishing: the callback may ask whether everything is known */
	ask(watch);
	watch->options.published(watch->options.data);
}

struct proxy_watch *proxy_watch_new(uv_loop_t *loop, const struct proxy_options *options)
{
	struct proxy_watch *watch = mem_alloc(sizeof(*watch));
	const struct worker_callbacks worker = { watch, scan_on_worker, after_scan, destroy };
	watch->loop = loop;
	watch->worker = worker_new(loop, &worker);
	watch->options = *options;
	watch->process = mem_strdup(options->process);
	watch->health_url = mem_strdup(options->health);
	watch->params = (struct params){ 0 };
	params_lay_over(&watch->params, options->params);
	watch->forwarder = forwarder_new("/proc");
	make_name(watch->probe_name, sizeof(watch->probe_name));
	watch->proof.at = -1;
	return watch;
}

static struct proxy *new_block(const struct proxy_watch *watch, uint16_t port)
{
	struct proxy *proxy = proxy_new();
	proxy->port = port;
	proxy->wanted = arena_strdup(proxy->arena, watch->process);
	return proxy;
}

static void check_scan(struct proxy_watch *watch)
{
	if (watch->overdue || worker_busy_for(watch->worker) <= SCAN_TIMEOUT)
		return;
	watch->overdue = true;
	publish_again(watch);
}

/* An answer on our own connection that came after the scan proves as much as one before it. The
 * caller assesses next. */
static void take_own_answer(struct proxy_watch *watch)
{
	const struct proxy *latest = watch->latest;
	if (latest && latest->status == PROXY_LISTENING && watch->own_answers &&
		is_our_path(watch, latest) && !why_unknown(watch))
		take(watch, renewed(latest));
}

void proxy_watch_scan(struct proxy_watch *watch, const struct proxy_own *own, int64_t after)
{
	int64_t now = instant_monotonic();
	watch->where = *own->where;
	watch->own_answers = own->answers;
	watch->own_latency = own->latency;
	uint16_t port = port_of(watch);
	check_scan(watch);
	take_own_answer(watch);
	if (worker_is_busy(watch->worker) || (watch->scanned_at && now - watch->scanned_at < after))
		return;
	if (!port) {
		proxy_unref(watch->latest);
		watch->latest = NULL;
		return;
	}
	watch->scanned_at = now;
	watch->next = new_block(watch, port);
	if (!watch->latest) {
		struct proxy *unknown = new_block(watch, port);
		unknown->detail = "it was not scanned yet";
		take(watch, unknown);
	}
	watch->scan_where = watch->where;
	worker_start(watch->worker);
}

bool proxy_watch_is_complete(const struct proxy_watch *watch)
{
	if (!port_of(watch))
		return true;
	/* a first scan that takes too long is awaited: nothing is known without it */
	if (watch->overdue)
		return watch->scanned;
	if (!watch->scanned || worker_is_busy(watch->worker) || watch->probing)
		return false;
	return !watch->health || !watch->next_health ||
		health_asked_at(watch->health) != INSTANT_UNKNOWN;
}

const struct proxy *proxy_watch_latest(const struct proxy_watch *watch)
{
	return watch->latest;
}
