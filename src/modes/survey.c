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
#include "collect/relays.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "modes/app.h"
#include "proc/inspect.h"
#include "target/target.h"

/* A server that hangs must not keep the processes from being stopped. */
#define PATIENCE_MS 2000

struct survey {
	struct app *app;
	struct target *target;
	survey_done_fn *done;
	void *data;
	uv_timer_t *patience;
	uint16_t *ports; /* where poolers listen; the first one is the server's */
	size_t n_ports;

	bool asked, inspecting, freed;
	int64_t asked_at; /* monotonic */

	/* the worker's alone while it inspects */
	uv_work_t work;
	struct arena *arena;
	struct inspect_request request;
	struct relays *relays; /* NULL until somebody may be one */
	struct process_facts *facts;
	size_t n_facts;
};

static void on_patience(uv_timer_t *timer);

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
	survey->work.data = survey;
	survey->patience = handle_new_timer(&app->loop, survey);
	list_ports(survey);
	return survey;
}

static void destroy(struct survey *survey)
{
	arena_free(survey->arena);
	free(survey->ports);
	free(survey);
}

void survey_free(struct survey *survey)
{
	if (!survey)
		return;
	handle_close(survey->patience);
	survey->freed = true;
	if (survey->inspecting)
		(void)uv_cancel((uv_req_t *)&survey->work);
	else
		destroy(survey);
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

/* Asked only of processes with several sockets: nobody pays for the dump without need. */
static bool forwards(void *data, const uint32_t *inodes, size_t n_inodes)
{
	struct survey *survey = data;
	if (n_inodes < 2)
		return false;
	if (!survey->relays)
		survey->relays = relays_new(survey->arena);
	return relays_forwards(survey->relays, inodes, n_inodes, survey->ports[0]);
}

static void inspect(uv_work_t *work)
{
	struct survey *survey = work->data;
	survey->n_facts = inspect_processes(&survey->request, survey->arena, &survey->facts);
}

static void on_inspected(uv_work_t *work, int status)
{
	struct survey *survey = work->data;
	survey->inspecting = false;
	if (survey->freed) {
		destroy(survey);
		return;
	}
	const struct assessment *assessment = target_assessment(survey->target);
	const struct rescue_plan_options options = plan_options(survey->app);
	struct emergency *emergency =
		rescue_plan(assessment, &options, survey->facts, status == 0 ? survey->n_facts : 0);
	survey->asked = false;
	survey->done(survey->data, emergency, assessment);
}

static struct inspect_who who_is(const struct process *process)
{
	return (struct inspect_who){ process->pid, process->start_ticks, process->uid };
}

static size_t list_servers(
	struct survey *survey, const struct peers *peers, struct inspect_who *ret_servers)
{
	bool *marks = arena_array(survey->arena, peers->n_processes, sizeof(*marks));
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
	arena_free(survey->arena);
	survey->arena = arena_new();
	size_t n_peers = peers ? peers->n_processes : 0;
	uint32_t *candidates = arena_array(survey->arena, n_peers, sizeof(*candidates));
	size_t count = rescue_candidates_list(assessment, candidates);
	struct inspect_who *who = arena_array(survey->arena, count, sizeof(*who));
	for (size_t i = 0; i < count; i++)
		who[i] = who_is(&peers->processes[candidates[i]]);
	struct inspect_who *servers = arena_array(survey->arena, n_peers, sizeof(*servers));
	size_t n_servers = peers ? list_servers(survey, peers, servers) : 0;
	survey->ports[0] = peers ? peers->target.port : 0;
	survey->request = (struct inspect_request){
		.proc_root = "/proc",
		.self = getpid(),
		.who = who,
		.n_who = count,
		.servers = servers,
		.n_servers = n_servers,
		.ports = survey->ports,
		.n_ports = survey->n_ports,
		.forwards = forwards,
		.data = survey,
	};
	survey->relays = NULL;
	uv_timer_stop(survey->patience);
	survey->inspecting = true;
	/* it fails only without a function to call */
	(void)uv_queue_work(&survey->app->loop, &survey->work, inspect, on_inspected);
}

/* Sockets from after the question, and with a connection the sessions, too. */
static bool is_fresh(const struct survey *survey, const struct assessment *assessment)
{
	if (!assessment->peers || assessment->peers->dump_began < survey->asked_at)
		return false;
	return assessment->server.status != SERVER_OK || assessment->settled;
}

static void on_patience(uv_timer_t *timer)
{
	begin_inspection(timer->data);
}

void survey_begin(struct survey *survey)
{
	if (survey->asked)
		return;
	survey->asked = true;
	survey->asked_at = instant_monotonic();
	uv_timer_start(survey->patience, on_patience, PATIENCE_MS, 0);
	target_survey(survey->target);
}

void survey_assessed(struct survey *survey)
{
	if (survey->asked && !survey->inspecting &&
		is_fresh(survey, target_assessment(survey->target)))
		begin_inspection(survey);
}
