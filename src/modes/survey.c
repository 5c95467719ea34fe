/* Look → wait until the picture is from after the question → inspect the candidates on a worker
 * thread → plan. */
#include "modes/survey.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "action/rescue_candidates.h"
#include "action/rescue_plan.h"
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

/* Without the first scan there are no processes: a scan that hangs in one of them is abandoned and
 * repeated. */
#define SCAN_TIMEOUT  (12 * USEC_PER_SEC)
#define SCAN_CHECK_MS 100

struct survey {
	struct app *app;
	struct target *target;
	survey_done_fn *done;
	void *data;
	uv_timer_t *timeout;
	uint16_t *ports; /* where poolers listen; the first one is the server's */
	size_t n_ports;

	bool asked, inspecting;
	int64_t asked_at; /* monotonic */
	struct inspector *inspector;
};

static void on_timeout(uv_timer_t *timer);
static void on_inspected(void *data, const struct process_facts *facts, size_t n_facts);

/* The ports of the PgBouncers in the settings. */
static void list_ports(struct survey *survey)
{
	const struct app *app = survey->app;
	survey->ports = mem_resize(NULL, app->n_consoles + 1, sizeof(*survey->ports));
	survey->ports[survey->n_ports++] = 0;
	for (size_t i = 0; i < app->n_consoles; i++) {
		const char *port = params_get(&app->consoles[i], "port");
		survey->ports[survey->n_ports++] = (uint16_t)(port ? atoi(port) : 0);
	}
}

struct survey *survey_new(struct app *app, struct target *target, survey_done_fn *done, void *data)
{
	struct survey *survey = mem_alloc(sizeof(*survey));
	survey->app = app;
	survey->target = target;
	survey->done = done;
	survey->data = data;
	survey->inspector = inspector_new(&app->loop, on_inspected, survey);
	survey->timeout = handle_new_timer(&app->loop, survey);
	list_ports(survey);
	return survey;
}

void survey_free(struct survey *survey)
{
	if (!survey)
		return;
	handle_close(survey->timeout);
	inspector_free(survey->inspector);
	free(survey->ports);
	free(survey);
}

static struct rescue_plan_options plan_options(const struct app *app)
{
	return (struct rescue_plan_options){
		.rules = &app->rules,
		.applications = &app->config->emergency.applications,
		.proxy = app->config->proxy.process,
		.uid = geteuid(),
		.all_users = app->options.all_users,
		.grace = app->config->emergency.grace,
		.force = app->options.force,
	};
}

static void on_inspected(void *data, const struct process_facts *facts, size_t n_facts)
{
	struct survey *survey = data;
	const struct assessment *assessment = target_assessment(survey->target);
	const struct rescue_plan_options options = plan_options(survey->app);
	struct emergency *emergency = rescue_plan(assessment, &options, facts, n_facts);
	survey->asked = survey->inspecting = false;
	survey->done(survey->data, emergency, assessment);
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
	rescue_candidates_mark_servers(peers, marks);
	for (size_t i = 0; i < peers->n_processes; i++)
		if (marks[i])
			ret_servers[count++] = who_is(&peers->processes[i]);
	return count;
}

static void begin_inspection(struct survey *survey)
{
	const struct assessment *assessment = target_assessment(survey->target);
	const struct peers *peers = assessment->peers;
	struct arena *arena = arena_new();
	size_t n_peers = peers ? peers->n_processes : 0;
	uint32_t *candidates = arena_array(arena, n_peers, sizeof(*candidates));
	size_t count = rescue_candidates_list(assessment, candidates);
	struct inspect_who *who = arena_array(arena, count, sizeof(*who));
	for (size_t i = 0; i < count; i++)
		who[i] = who_is(&peers->processes[candidates[i]]);
	struct inspect_who *servers = arena_array(arena, n_peers, sizeof(*servers));
	size_t n_servers = peers ? list_servers(arena, peers, servers) : 0;
	survey->ports[0] = peers ? peers->target.port : 0;
	uv_timer_stop(survey->timeout);
	survey->inspecting = true;
	inspector_begin(survey->inspector,
		&(struct inspect_request){
			.proc_root = "/proc",
			.self = getpid(),
			.who = who,
			.n_who = count,
			.servers = servers,
			.n_servers = n_servers,
			.ports = survey->ports,
			.n_ports = survey->n_ports,
		});
	arena_free(arena);
}

/* Sockets from after the question, and with a connection the sessions, too. */
static bool is_fresh(const struct survey *survey, const struct assessment *assessment)
{
	if (!assessment->peers || assessment->peers->dump_began < survey->asked_at)
		return false;
	return assessment->server.status != SERVER_OK || assessment->complete;
}

static void on_timeout(uv_timer_t *timer)
{
	struct survey *survey = timer->data;
	bool has_waited = instant_monotonic() - survey->asked_at >= SCAN_TIMEOUT;
	if (!target_assessment(survey->target)->peers && !has_waited &&
		target_is_scanning(survey->target))
		uv_timer_start(survey->timeout, on_timeout, SCAN_CHECK_MS, 0);
	else
		begin_inspection(survey);
}

void survey_begin(struct survey *survey)
{
	if (survey->asked)
		return;
	survey->asked = true;
	survey->asked_at = instant_monotonic();
	uv_timer_start(survey->timeout, on_timeout, TIMEOUT_MS, 0);
	target_survey(survey->target);
}

void survey_assessed(struct survey *survey)
{
	if (survey->asked && !survey->inspecting &&
		is_fresh(survey, target_assessment(survey->target)))
		begin_inspection(survey);
}
