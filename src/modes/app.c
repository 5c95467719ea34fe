/* What all modes have in common at the start. */
#include "modes/app.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/plural.h"
#include "config/config.h"
#include "model/assessment.h"

struct target_options app_target_options(const struct app *app)
{
	return (struct target_options){
		.rules = &app->rules,
		.consoles = app->consoles,
		.n_consoles = app->n_consoles,
		.pages = app->config->pages,
		.proxy = &app->config->proxy,
		.interval = app->config->interval,
		.no_query_text = app->options.no_query_text,
	};
}

bool app_has_one_server(const struct app *app, const char *mode)
{
	if (app->n_servers == 1)
		return true;
	fprintf(stderr, "dbtop: %s works on one server, and %zu are named\n", mode, app->n_servers);
	return false;
}

/* Lists the failures of sources other than the server; "" if there are none. */
static void list_failures(const struct assessment *assessment, char *text, size_t size)
{
	size_t length = 0;
	text[0] = '\0';
	for (size_t i = 0; i < assessment->n_sources && length < size; i++) {
		const struct source_state *source = &assessment->sources[i];
		if (i == SOURCE_ACTIVITY ||
			(source->status != SOURCE_FAILED && source->status != SOURCE_STALE))
			continue;
		length += (size_t)snprintf(text + length, size - length, "; %s: %s",
			source->name ? source->name : "?",
			source->error ? source->error : "failed");
	}
}

char *app_describe_state(const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	char failures[512];
	list_failures(assessment, failures, sizeof(failures));
	return mem_printf("%s%s%s:%d %s%s%s%s", server->name ? server->name : "",
		server->name ? ": " : "", server->host ? server->host : "local", server->port,
		server_status_name(server->status), server->error ? ": " : "",
		server->error ? server->error : "", failures);
}

struct findings_limits app_findings_limits(const struct app *app)
{
	return (struct findings_limits){
		.least = app->options.least,
		.min_free = (int)app->options.min_free,
	};
}

bool app_may_act(const struct app *app, const char *mode)
{
	const struct options *options = &app->options;
	if (options->dry_run)
		return true;
	if (!options->yes && !isatty(STDIN_FILENO)) {
		fprintf(stderr, "dbtop: %s asks on a terminal; without one it needs --yes\n", mode);
		return false;
	}
	if (app->config->readonly)
		fputs("dbtop: read-only: nothing can be ended; --dry-run shows the plan\n", stderr);
	return !app->config->readonly;
}

int app_check_written(int r)
{
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "dbtop: cannot write: %s\n", strerror(-r));
	return r;
}

void app_report_unwritten(const char *log, size_t lines)
{
	if (lines)
		fprintf(stderr,
			"dbtop: the disk did not answer: %zu line%s of the %s not written\n", lines,
			plural_s((int64_t)lines), log);
}
