/* What every mode starts from. */
#include "app/app.h"

#include "app/log.h"
#include "config/config.h"
#include "model/assessment.h"

struct target_options app_target_options(const struct app *app)
{
	return (struct target_options){
		.params = &app->params,
		.rules = &app->rules,
		.consoles = app->consoles,
		.n_consoles = app->n_consoles,
		.pages = app->config->pages,
		.proxy = &app->config->proxy,
		.interval = app->config->interval,
		.no_query_text = app->options.no_query_text,
	};
}

void app_log_state(const struct app *app, const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	log_write(app->log, "%s:%d %s%s%s", server->host ? server->host : "local", server->port,
		server_status_name(server->status), server->error ? ": " : "",
		server->error ? server->error : "");
}
