/* Options, config file, connection parameters; then the mode. */
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/demo_mode.h"
#include "dashboard/run.h"
#include "dashboard/themes.h"
#include "demo/demo.h"
#include "demo/demo_app.h"
#include "demo/demo_pool.h"
#include "loop/worker.h"
#include "modes/app.h"
#include "modes/emergency_mode.h"
#include "modes/kill_mode.h"
#include "modes/log.h"
#include "modes/options_check.h"
#include "modes/peers_mode.h"
#include "modes/prompt.h"
#include "modes/report_mode.h"
#include "modes/settings.h"
#include "modes/shutdown_test.h"
#include "modes/unattended_mode.h"
#include "report/stream.h"
#include "version.h"
#include "widgets/columns.h"

/* Each source may have a thread or more that hangs; idle ones cost next to nothing. Each further
 * server has sources of its own. */
#define WORKERS            16
#define WORKERS_PER_SERVER 4
#define WORKERS_MAX        256

/* A server needs a descriptor for each process that has connections to it, and some twenty more. */
#define DESCRIPTORS_MAX 65536

/* How long the last scans may still run. */
#define END_TIMEOUT_MS 2000

static int check_columns(const struct app *app)
{
	struct config_error error;
	size_t count;
	const char *const *names = column_names(&count);
	int r = config_check_columns(app->config, names, count, &error);
	if (r < 0)
		fprintf(stderr, "dbtop: %s\n", error.text);
	return r;
}

/* The view knows the columns, and the dashboard the themes. */
static int check_names(const struct app *app)
{
	int r = check_columns(app);
	return r < 0 ? r : themes_check(app);
}

static int set_scope(struct app *app)
{
	if (!app->options.app)
		return 0;
	int error = regcomp(&app->scope, app->options.app, REG_EXTENDED | REG_NOSUB);
	if (error) {
		char text[128];
		regerror(error, &app->scope, text, sizeof(text));
		fprintf(stderr, "dbtop: --app: %s: \"%s\"\n", text, app->options.app);
		return -EINVAL;
	}
	app->scoped = true;
	return 0;
}

/* How long to wait for the disk of the log, before the first screen and after the last. */
#define LOG_TIMEOUT (500 * USEC_PER_MSEC)

/* Reports a log that cannot be written, at the start or at the end; nothing else stops. */
static bool report_log(const struct app *app)
{
	const char *error = log_wait(app->log, LOG_TIMEOUT);
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	return error != NULL;
}

static void open_log(struct app *app)
{
	app->log = log_open(*app->config->log ? app->config->log : NULL);
	log_write(app->log, "dbtop %s, pid %d", DBTOP_VERSION, (int)getpid());
	app->log_failed = report_log(app);
}

/* -W asks before the first attempt; that password replaces one in CONNINFO, as in psql. */
static int ask_password(struct app *app)
{
	if (!app->options.ask_password)
		return 0;
	char *password = NULL;
	struct params *params = &app->servers[0].params;
	enum prompt_outcome outcome = prompt_password(params_get(params, "user"), &password);
	if (outcome == PROMPT_INTERRUPTED)
		return -EINTR;
	if (outcome == PROMPT_ENDED) {
		fputs("dbtop: -W: there is no terminal to ask on\n", stderr);
		return -ENOTTY;
	}
	params_set(params, "password", password);
	explicit_bzero(password, strlen(password));
	free(password);
	return 0;
}

static int prepare(struct app *app)
{
	app->check = check_names;
	int r = set_scope(app);
	if (r < 0 || (r = settings_read(app)) < 0)
		return r;
	open_log(app);
	if (app->options.mode == MODE_DEMO || app->options.mode == MODE_REPLAY) {
		settings_read_no_server(app);
		return 0;
	}
	r = settings_read_servers(app);
	return r < 0 ? r : ask_password(app);
}

static int run(struct app *app)
{
	switch (app->options.mode) {
	case MODE_DASHBOARD:
	case MODE_REPLAY:
	case MODE_WATCH: return dashboard_run(app);
	case MODE_DEMO: return demo_mode_run(app);
	case MODE_SHUTDOWN_TEST: return shutdown_test_run(app);
	case MODE_KILL_LEAKED: return kill_mode_run(app);
	case MODE_GUARD:
	case MODE_METRICS: return unattended_mode_run(app);
	case MODE_EMERGENCY: return emergency_mode_run(app);
	default: return report_mode_run(app);
	}
}

static void release(struct app *app)
{
	if (!app->log_failed)
		(void)report_log(app);
	app_report_unwritten("log", log_close(app->log));
	if (app->scoped)
		regfree(&app->scope);
	settings_release(app);
}

static void on_end_timeout(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Runs the loop until all handles are closed. Returns false if a thread is still busy after the
 * timeout: it hangs in a process's files, on a disk or in a name look-up. */
static bool close_loop(uv_loop_t *loop)
{
	uv_timer_t timeout;
	uv_timer_init(loop, &timeout);
	uv_timer_start(&timeout, on_end_timeout, END_TIMEOUT_MS, 0);
	uv_unref((uv_handle_t *)&timeout);
	if (uv_run(loop, UV_RUN_DEFAULT) != 0)
		return false;
	uv_close((uv_handle_t *)&timeout, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	/* it fails while a connection attempt has its handle: dial_abandon() */
	return uv_loop_close(loop) == 0;
}

/* Ends the program without the handlers of exit(): that of libuv would wait for the thread, and
 * that of OpenSSL would free what the thread uses. fflush(NULL) would wait for the file that the
 * thread reads. */
__attribute__((noreturn)) static void end_beside_threads(int status)
{
	fflush(stdout);
	fflush(stderr);
	_exit(status);
}

/* On the screen the key D connects to the other servers of the configuration, too. */
static size_t most_servers(const struct app *app)
{
	bool has_keys = app->options.mode == MODE_DASHBOARD || app->options.mode == MODE_WATCH;
	return app->n_servers + (has_keys ? app->config->databases.count : 0);
}

static void limit_workers(const struct app *app)
{
	size_t count = WORKERS + WORKERS_PER_SERVER * (most_servers(app) - 1);
	worker_limit_threads(count < WORKERS_MAX ? count : WORKERS_MAX);
}

/* The usual limit of 1024 is too low for many servers; the hard one is not. */
static void allow_descriptors(const struct app *app)
{
	struct rlimit limit;
	if (most_servers(app) == 1 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	rlim_t wanted = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int start(struct app *app)
{
	int status = EXIT_USAGE;
	bool hangs = false;
	if (prepare(app) == 0) {
		allow_descriptors(app);
		uv_loop_init(&app->loop);
		limit_workers(app);
		status = run(app);
		hangs = !close_loop(&app->loop);
	}
	release(app);
	if (hangs)
		end_beside_threads(status);
	return status;
}

/* Keeps freed memory in the heap. Each refresh frees the memory of the one before; to return it to
 * the kernel and to fault it in again would cost more than to read the rows. */
static void keep_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	/* one heap for the worker threads, too: what they make is freed here */
	mallopt(M_ARENA_MAX, 1);
}

static int print_information(enum mode mode)
{
	if (mode == MODE_HELP)
		options_help(stdout);
	else
		puts("dbtop " DBTOP_VERSION);
	return app_check_written(stream_flush(stdout)) < 0 ? EXIT_UNKNOWN : EXIT_CLEAN;
}

int main(int argc, char **argv)
{
	if (demo_app_requested())
		return demo_app_main(demo_pool_main);
	struct app app = { 0 };
	/* not LC_ALL: numbers are read and written with a point everywhere */
	setlocale(LC_CTYPE, "");
	keep_heap();
	/* a closed pipe is an error of write(), and does not end dbtop */
	signal(SIGPIPE, SIG_IGN);
	/* so is a file that may not grow */
	signal(SIGXFSZ, SIG_IGN);
	if (options_parse(argc, argv, &app.options) < 0 || options_check(&app.options) < 0)
		return EXIT_USAGE;
	switch (app.options.mode) {
	case MODE_HELP:
	case MODE_VERSION: return print_information(app.options.mode);
	case MODE_PEERS: return peers_mode_run();
	default: return start(&app);
	}
}
