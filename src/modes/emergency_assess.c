/* Scan → wait for an assessment that is newer than the request → inspect the candidates on a worker
 * thread → plan. */
#include "modes/emergency_assess.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "action/emergency_candidates.h"
#include "action/emergency_plan.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/inspector.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "modes/app.h"
#include "proc/inspect.h"
#include "target/target.h"

/* A server that hangs must not keep the processes from being stopped. */
#define TIMEOUT_MS 2000

/* An older scan shows processes that have been stopped since as the holders of their connections,
 * and before the first one there are none. A scan that hangs in a process is abandoned and
 * repeated.
 */
#define SCAN_TIMEOUT  (12 * USEC_PER_SEC)
#define SCAN_CHECK_MS 100

struct emergency_assess {
	struct app *app;
	struct target *target;
	emergency_assess_done_fn *done;
	void *data;
	uv_timer_t *timeout;
	uint16_t *
		ports; /* the server's, as far as they are known, then those where poolers listen */
	size_t n_ports;

	bool asked, inspecting;
	int64_t asked_at; /* monotonic */
	struct inspector *inspector;
};

static void on_timeout(uv_timer_t *timer);
static void on_inspected(void *data, const struct process_facts *facts, size_t n_facts);

/* The ports of the server, and of the PgBouncers in the settings. */
static void list_ports(struct emergency_assess *assess, const struct peers *peers)
{
	const struct app *app = assess->app;
	size_t n_nat = peers ? peers->n_nat : 0;
	assess->ports =
		mem_resize(assess->ports, app->n_consoles + n_nat + 2, sizeof(*assess->ports));
	assess->n_ports = 0;
	assess->ports[assess->n_ports++] = peers ? peers->target.port : 0;
	if (peers && peers->target.server_port)
		assess->ports[assess->n_ports++] = peers->target.server_port;
	for (size_t i = 0; i < n_nat; i++)
		assess->ports[assess->n_ports++] = peers->nat[i].server.port;
	for (size_t i = 0; i < app->n_consoles; i++) {
		const char *port = params_get(&app->consoles[i], "port");
		assess->ports[assess->n_ports++] = (uint16_t)(port ? atoi(port) : 0);
	}
}

struct emergency_assess *emergency_assess_new(
	struct app *app, struct target *target, emergency_assess_done_fn *done, void *data)
{
	struct emergency_assess *assess = mem_alloc(sizeof(*assess));
	assess->app = app;
	assess->target = target;
	assess->done = done;
	assess->data = data;
	assess->inspector = inspector_new(&app->loop, on_inspected, assess);
	assess->timeout = handle_new_timer(&app->loop, assess);
	return assess;
}

void emergency_assess_free(struct emergency_assess *assess)
{
	if (!assess)
		return;
	handle_close(assess->timeout);
	inspector_free(assess->inspector);
	free(assess->ports);
	free(assess);
}

static struct emergency_plan_options plan_options(const struct app *app)
{
	return (struct emergency_plan_options){
		.rules = &app->rules,
		.applications = &app->config->emergency.applications,
		.pids = app->options.pids.items,
		.n_pids = app->options.pids.count,
		.proxy = app->config->proxy.process,
		.uid = geteuid(),
		.all_users = app->options.all_users,
		.grace = app->config->emergency.grace,
		.force = app->options.force,
	};
}

static void on_inspected(void *data, const struct process_facts *facts, size_t n_facts)
{
	struct emergency_assess *assess = data;
	const struct assessment *assessment = target_assessment(assess->target);
	const struct emergency_plan_options options = plan_options(assess->app);
	struct emergency *emergency = emergency_plan(assessment, &options, facts, n_facts);
	assess->asked = assess->inspecting = false;
	assess->done(assess->data, emergency, assessment);
}

static struct inspect_who who_is(const struct process *process)
{
	return (struct inspect_who){
		.pid = process->pid,
		.start_ticks = process->start_ticks,
		.uid = process->uid,
	};
}

static size_t list_servers(
	struct arena *arena, const struct peers *peers, struct inspect_who *ret_servers)
{
	bool *marks = arena_array(arena, peers->n_processes, sizeof(*marks));
	size_t count = 0;
	emergency_candidates_mark_servers(peers, marks);
	for (size_t i = 0; i < peers->n_processes; i++)
		if (marks[i])
			ret_servers[count++] = who_is(&peers->processes[i]);
	return count;
}

static void begin_inspection(struct emergency_assess *assess)
{
	const struct assessment *assessment = target_assessment(assess->target);
	const struct peers *peers = assessment->peers;
	struct arena *arena = arena_new();
	size_t n_peers = peers ? peers->n_processes : 0;
	uint32_t *candidates = arena_array(arena, n_peers, sizeof(*candidates));
	size_t count = emergency_candidates_list(assessment, candidates);
	struct inspect_who *who = arena_array(arena, count, sizeof(*who));
	for (size_t i = 0; i < count; i++)
		who[i] = who_is(&peers->processes[candidates[i]]);
	struct inspect_who *servers = arena_array(arena, n_peers, sizeof(*servers));
	size_t n_servers = peers ? list_servers(arena, peers, servers) : 0;
	list_ports(assess, peers);
	uv_timer_stop(assess->timeout);
	assess->inspecting = true;
	inspector_begin(assess->inspector,
		&(struct inspect_request){
			.proc_root = "/proc",
			.self = getpid(),
			.who = who,
			.n_who = count,
			.servers = servers,
			.n_servers = n_servers,
			.ports = assess->ports,
			.n_ports = assess->n_ports,
		});
	arena_free(arena);
}

/* Sockets from after the question. */
static bool has_new_scan(const struct emergency_assess *assess, const struct assessment *assessment)
{
	return assessment->peers && assessment->peers->dump_began >= assess->asked_at;
}

/* The same, and with a connection the sessions, too. */
static bool is_fresh(const struct emergency_assess *assess, const struct assessment *assessment)
{
	if (!has_new_scan(assess, assessment))
		return false;
	return assessment->server.status != SERVER_OK || assessment->complete;
}

static void on_timeout(uv_timer_t *timer)
{
	struct emergency_assess *assess = timer->data;
	bool has_waited = instant_monotonic() - assess->asked_at >= SCAN_TIMEOUT;
	if (!has_new_scan(assess, target_assessment(assess->target)) && !has_waited &&
		target_is_scanning(assess->target))
		uv_timer_start(assess->timeout, on_timeout, SCAN_CHECK_MS, 0);
	else
		begin_inspection(assess);
}

void emergency_assess_begin(struct emergency_assess *assess)
{
	if (assess->asked)
		return;
	assess->asked = true;
	assess->asked_at = instant_monotonic();
	uv_timer_start(assess->timeout, on_timeout, TIMEOUT_MS, 0);
	target_assess_anew(assess->target);
}

void emergency_assess_assessed(struct emergency_assess *assess)
{
	if (assess->asked && !assess->inspecting &&
		is_fresh(assess, target_assessment(assess->target)))
		begin_inspection(assess);
}
