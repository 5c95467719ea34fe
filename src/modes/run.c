/* Connect → password → wait for the first answer → the mode → exit status. */
#include "modes/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/host_agents.h"
#include "config/config.h"
#include "loop/handle.h"
#include "loop/signal_watch.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/connect.h"
#include "modes/log.h"
#include "modes/prompt.h"
#include "session/session.h"

/* If the server has not answered within this time, the mode begins with what is known. */
#define TIMEOUT (15 * USEC_PER_SEC)

struct run_server {
	struct run *run;
	size_t index;
	struct target *target;
	uv_timer_t *timeout;
	bool has_begun;
	char *logged; /* its state as it was logged last; NULL */
};

struct run {
	struct app *app;
	struct run_options options;
	struct run_server **servers;
	size_t n_servers, n_started;
	struct host_agents *hosts; /* lent to all targets; NULL: none */
	struct audit *audit;
	struct signal_watch *signals;
	bool has_begun; /* one server at least */
	bool has_asked_password;
	bool question_interrupted; /* the signal is in the loop, and ends the run */
	int status;
};

void run_finish(struct run *run, int status)
{
	run->status = status;
	uv_stop(&run->app->loop);
}

void run_finish_by_signal(struct run *run, int signal_number)
{
	run_finish(run, 128 + signal_number);
}

size_t run_n_servers(const struct run *run)
{
	return run->n_servers;
}

struct target *run_server(const struct run *run, size_t server)
{
	return run->servers[server]->target;
}

const struct assessment *run_assessment(const struct run *run, size_t server)
{
	return target_assessment(run_server(run, server));
}

struct target *run_target(const struct run *run)
{
	return run_server(run, 0);
}

struct audit *run_audit(const struct run *run)
{
	return run->audit;
}

/* Connected, but the statement failed: the role may not read the view, for instance. */
static bool has_failed(const struct assessment *assessment)
{
	return assessment->server.status == SERVER_OK && !assessment->activity &&
		assessment->sources[SOURCE_ACTIVITY].status == SOURCE_FAILED;
}

/* True if no complete assessment can be expected, because there is no connection or no answer. */
static bool is_hopeless(struct target *target)
{
	const struct assessment *assessment = target_assessment(target);
	struct peers_target where;
	switch (assessment->server.status) {
	case SERVER_OK:
		if (!has_failed(assessment))
			return false;
		break;
	case SERVER_CONNECTING:
	case SERVER_STALE: return false;
	default: break;
	}
	if (target_awaits_proxy(target))
		return false;
	session_locate(target_session(target), &where);
	return assessment->peers || where.server.family == 0;
}

bool run_is_complete(const struct run *run, size_t server)
{
	return run_assessment(run, server)->complete || is_hopeless(run_server(run, server));
}

static void begin(struct run_server *server)
{
	struct run *run = server->run;
	uv_timer_stop(server->timeout);
	server->has_begun = run->has_begun = true;
	run->options.begun(run->options.data, server->index);
}

/* True if there is something to wait for: the server's answer to the password, or the signal that
 * interrupted the question. */
static bool ask_password(struct run *run)
{
	struct session *session = target_session(run_target(run));
	if (run->question_interrupted)
		return true;
	if (run->n_servers > 1 || !session_needs_password(session) || run->has_asked_password ||
		run->app->options.never_password)
		return false;
	run->has_asked_password = true;
	char *password = NULL;
	enum prompt_outcome outcome = prompt_password(session_state(session)->user, &password);
	if (outcome != PROMPT_ANSWERED)
		return run->question_interrupted = outcome == PROMPT_INTERRUPTED;
	session_set_password(session, password);
	explicit_bzero(password, strlen(password));
	free(password);
	return true;
}

/* Servers answer in turn: each one's state is compared with its own last line. */
static void log_state(struct run_server *server)
{
	char *state = app_describe_state(target_assessment(server->target));
	if (!server->logged || strcmp(state, server->logged) != 0)
		log_write(server->run->app->log, "%s", state);
	free(server->logged);
	server->logged = state;
}

static void on_assessed(void *data)
{
	struct run_server *server = data;
	struct run *run = server->run;
	log_state(server);
	if (server->has_begun) {
		if (run->options.assessed)
			run->options.assessed(run->options.data, server->index);
	} else if (!ask_password(run) && run->options.is_enough(run, server->index)) {
		begin(server);
	}
}

static void on_timeout(uv_timer_t *timer);

static void set_timeout(struct run_server *server, int64_t usec)
{
	uv_timer_start(server->timeout, on_timeout, (uint64_t)(usec / USEC_PER_MSEC), 0);
}

static void on_timeout(uv_timer_t *timer)
{
	struct run_server *server = timer->data;
	const struct run *run = server->run;
	/* the loop runs timers before signals */
	if (run->question_interrupted)
		return;
	if (run->options.more_time && connect_is_under_way(target_session(server->target)))
		set_timeout(server, run->options.more_time);
	else
		begin(server);
}

static void on_signal(void *data, int signal_number)
{
	struct run *run = data;
	if (run->has_begun)
		run->options.received(run->options.data, signal_number);
	else
		run_finish_by_signal(run, signal_number);
}

static void open_server(struct run *run, size_t index)
{
	struct app *app = run->app;
	struct run_server *server = mem_alloc(sizeof(*server));
	struct target_options target = run->options.target;
	target.name = app->servers[index].name;
	target.params = &app->servers[index].params;
	target.password_command = app->servers[index].password_command;
	target.hosts = run->hosts;
	target.data = server;
	target.assessed = on_assessed;
	*server = (struct run_server){
		.run = run,
		.index = index,
		.target = target_new(&app->loop, &target),
		.timeout = handle_new_timer(&app->loop, server),
		.has_begun = run->has_begun,
	};
	run->servers[index] = server;
	if (run->options.unattended)
		session_never_ask(target_session(server->target));
}

/* Those that the app has, and the run has not yet. */
static void open_servers(struct run *run)
{
	size_t count = run->app->n_servers;
	run->servers = mem_resize(run->servers, count, sizeof(*run->servers));
	for (; run->n_servers < count; run->n_servers++)
		open_server(run, run->n_servers);
}

/* A recording and the demo have none. A shutdown test is about an application of this machine, and
 * waits for every child: ours, too. */
static bool has_hosts(const struct app *app)
{
	enum mode mode = app->options.mode;
	return app->config->hosts.count && mode != MODE_REPLAY && mode != MODE_DEMO &&
		mode != MODE_SHUTDOWN_TEST;
}

/* Starts the dbtops of other machines, once for all servers. */
static struct host_agents *open_hosts(struct app *app)
{
	const struct config_hosts *hosts = &app->config->hosts;
	if (!has_hosts(app))
		return NULL;
	CLEANUP(cleanup_free)
	struct host_agent_options *options = mem_alloc(hosts->count * sizeof(*options));
	for (size_t i = 0; i < hosts->count; i++) {
		const struct config_host *host = &hosts->items[i];
		options[i] = (struct host_agent_options){
			.name = host->name,
			.command = host->command.count ? host->command.items : NULL,
			.addresses = host->addresses,
			.n_addresses = host->n_addresses,
		};
	}
	return host_agents_new(&app->loop, options, hosts->count);
}

struct run *run_open(struct app *app, const struct run_options *options)
{
	static const int usual[] = { SIGINT, SIGTERM, SIGHUP };
	struct run *run = mem_alloc(sizeof(*run));
	run->app = app;
	run->options = *options;
	run->has_begun = !options->is_enough;
	run->status = EXIT_UNKNOWN;
	run->hosts = open_hosts(app);
	open_servers(run);
	CLEANUP(cleanup_free) char *path = audit_default_path();
	run->audit = audit_new(path);
	run->signals = signal_watch_new(&app->loop, options->signals ? options->signals : usual,
		options->signals ? options->n_signals : sizeof(usual) / sizeof(usual[0]),
		&(struct signal_watch_callbacks){ run, on_signal });
	return run;
}

void run_start(struct run *run)
{
	for (; run->n_started < run->n_servers; run->n_started++) {
		struct run_server *server = run->servers[run->n_started];
		if (!server->has_begun)
			set_timeout(server, TIMEOUT);
		target_start(server->target);
	}
}

void run_add_servers(struct run *run)
{
	open_servers(run);
	run_start(run);
}

void run_loop(struct run *run)
{
	uv_run(&run->app->loop, UV_RUN_DEFAULT);
}

int run_close(struct run *run)
{
	int status = run->status;
	signal_watch_free(run->signals);
	for (size_t i = 0; i < run->n_servers; i++) {
		handle_close(run->servers[i]->timeout);
		target_free(run->servers[i]->target);
		free(run->servers[i]->logged);
		free(run->servers[i]);
	}
	free(run->servers);
	host_agents_free(run->hosts);
	app_report_unwritten("audit log", audit_free(run->audit));
	free(run);
	return status;
}

int run_to_end(struct run *run, void (*free_mode)(void *data))
{
	run_start(run);
	run_loop(run);
	free_mode(run->options.data);
	return run_close(run);
}
