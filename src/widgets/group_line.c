/* The text of a group's row. */
#include "widgets/group_line.h"

#include <math.h>
#include <string.h>
#include <sys/socket.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/rights.h"
#include "widgets/line.h"
#include "widgets/process_title.h"
#include "widgets/rows.h"

static const struct process *process_of(
	const struct assessment *assessment, const struct group *group)
{
	return &assessment->processes[group->process].process;
}

static const struct pool *pool_of(const struct assessment *assessment, const struct group *group)
{
	return assessment->connections[group->sample].pool;
}

static const struct backend *sample_of(
	const struct assessment *assessment, const struct group *group)
{
	return assessment->connections[group->sample].backend;
}

static void name_process(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	if (!assessment->processes[group->process].alive)
		line_add(line, STYLE_GROUP, "gone: ");
	process_title_add(process_of(assessment, group), STYLE_GROUP, line);
}

/* Details that are not known are left out. */
static void add_bytes(struct line *line, int64_t bytes)
{
	static const char units[] = "KMGTPE";
	double number = (double)bytes / 1024;
	int unit = 0;
	for (; number >= 1000 && units[unit + 1]; unit++)
		number /= 1024;
	line_add_next(line, STYLE_DIM, "");
	line_printf(line, STYLE_DIM, number < 9.95 ? "%.1f%c" : "%.0f%c", number, units[unit]);
}

static void detail_gone(const struct process *process, int64_t now, struct line *line)
{
	char text[DURATION_TEXT_MAX];
	if (process->ended_at == INSTANT_UNKNOWN) {
		line_add_next(line, STYLE_DIM, "ended");
		return;
	}
	duration_format(instant_elapsed(process->ended_at, now), text);
	char *unit = text + strspn(text, "0123456789.");
	if (*unit)
		unit[1] = '\0'; /* 31m02s becomes 31m */
	line_add_next(line, STYLE_DIM, "ended ");
	line_printf(line, STYLE_DIM, "%s ago", text);
}

static void detail_process(const struct assessment *assessment, const struct group *group,
	int64_t now, struct line *line)
{
	const struct process *process = process_of(assessment, group);
	uint32_t logging_in = assessment->processes[group->process].logging_in;
	line_printf(line, STYLE_DIM, "%d", process->pid);
	if (process->host) {
		line_add_next(line, STYLE_DIM, "on ");
		line_add(line, STYLE_DIM, process->host);
	}
	if (logging_in) {
		line_add_next(line, STYLE_CAUTION, "");
		line_printf(line, STYLE_CAUTION, "%u not logged in", logging_in);
	}
	if (!assessment->processes[group->process].alive) {
		detail_gone(process, now, line);
		return;
	}
	if (process->user && *process->user)
		line_add_next(line, STYLE_DIM, process->user);
	if (process->unit && *process->unit)
		line_add_next(line, STYLE_DIM, process->unit);
	if (process->container) {
		line_add_next(line, STYLE_DIM, "container ");
		line_add(line, STYLE_DIM, process->container);
	}
	if (process->rss_bytes >= 0)
		add_bytes(line, process->rss_bytes);
	/* Last: it is known later than the others, and parts that do not fit are removed with all
	 * that follow them. */
	if (!isnan(process->cpu_percent)) {
		line_add_next(line, STYLE_DIM, "cpu ");
		line_printf(line, STYLE_DIM, "%.1f%%", process->cpu_percent);
	}
}

static void name_application(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	const char *name = sample_of(assessment, group)->application_name;
	if (name && *name)
		line_add_bytes(line, STYLE_GROUP, name, pool_application_length(name));
	else
		line_add(line, STYLE_GROUP, "without application_name");
}

static const char *host_of(const struct assessment *assessment, const struct group *group)
{
	return assessment_process(assessment, &assessment->connections[group->sample])
		->process.host;
}

static void name_host(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	const char *host = host_of(assessment, group);
	line_add(line, STYLE_GROUP, host ? host : "this machine");
}

/* Why what is shown of it may be old. */
static void detail_host(const struct assessment *assessment, const struct group *group, int64_t now,
	struct line *line)
{
	const char *host = host_of(assessment, group);
	(void)now;
	for (size_t i = SOURCE_COUNT; host && i < assessment->n_sources; i++) {
		const struct source_state *source = &assessment->sources[i];
		bool is_it = source->name && strncmp(source->name, "host ", 5) == 0 &&
			strcmp(source->name + 5, host) == 0;
		if (is_it && source->status != SOURCE_OK && source->error)
			line_add(line, STYLE_CAUTION, source->error);
	}
}

static const struct process *container_of(
	const struct assessment *assessment, const struct group *group)
{
	uint32_t process = assessment->connections[group->sample].process;
	return &assessment->processes[process].process;
}

static void name_container(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	line_add(line, STYLE_GROUP, container_of(assessment, group)->container);
}

static void detail_container(const struct assessment *assessment, const struct group *group,
	int64_t now, struct line *line)
{
	const char *image = container_of(assessment, group)->image;
	(void)now;
	line_add(line, STYLE_DIM, image ? image : "");
}

static void name_database(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	const char *name = sample_of(assessment, group)->database;
	line_add(line, STYLE_GROUP, name ? name : "without database");
}

static void name_user(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	const char *name = sample_of(assessment, group)->user;
	line_add(line, STYLE_GROUP, name ? name : "without user");
}

static void name_pool(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	const struct pool *pool = pool_of(assessment, group);
	if (!pool->page)
		line_add(line, STYLE_GROUP, "pgbouncer ");
	line_add(line, STYLE_GROUP, pool->name ? pool->name : "unnamed");
}

static void detail_pool(const struct assessment *assessment, const struct group *group, int64_t now,
	struct line *line)
{
	(void)now;
	const struct pool *pool = pool_of(assessment, group);
	if (pool->page)
		line_printf(line, STYLE_DIM, "%d%s%s", pool->page->pid, pool->page->host ? "@" : "",
			pool->page->host ? pool->page->host : "");
	else
		line_add(line, STYLE_DIM, pool->console->name ? pool->console->name : "");
	if (pool->page && pool->page->status == POOL_PAGE_DEAD) {
		line_add_next(line, STYLE_CAUTION, "its process has ended");
		return;
	}
	line_add_next(line, STYLE_DIM, "");
	line_printf(line, STYLE_DIM, "%d", pool_in_use(pool));
	if (pool_max(pool) > 0)
		line_printf(line, STYLE_DIM, " of %d", pool_max(pool));
	line_add(line, STYLE_DIM, " in use");
	if (pool_waiting(pool) <= 0)
		return;
	line_add_next(line, STYLE_CAUTION, "");
	line_printf(line, STYLE_CAUTION, "%d waiting", pool_waiting(pool));
}

static const struct endpoint *client_of(
	const struct assessment *assessment, const struct group *group)
{
	const struct connection *sample = &assessment->connections[group->sample];
	return sample->bouncer_client ? &sample->bouncer_client->remote : &sample->backend->client;
}

static void name_client(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	char text[ENDPOINT_TEXT_MAX];
	const struct endpoint *client = client_of(assessment, group);
	if (client->family == AF_UNSPEC)
		line_add(line, STYLE_GROUP, "without client");
	else if (client->family == AF_UNIX)
		line_add(line, STYLE_GROUP, "Unix sockets");
	else
		line_add(line, STYLE_GROUP, endpoint_address(client, text));
}

static void name_address(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	char text[ENDPOINT_TEXT_MAX];
	endpoint_address(client_of(assessment, group), text);
	line_add(line, STYLE_GROUP, "elsewhere: ");
	line_add(line, STYLE_GROUP, *text ? text : "behind a socket");
}

static void name_looking(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	(void)group;
	line_add(line, STYLE_GROUP,
		assessment->complete ? "process not known" : "searching for the process …");
}

static void detail_hidden(const struct assessment *assessment, const struct group *group,
	int64_t now, struct line *line)
{
	(void)group, (void)now;
	struct rights rights;
	rights_get(assessment, &rights);
	line_add(line, STYLE_TEXT, rights.see_grant);
}

/* A constant name or a function that makes one; the same for details. */
static const struct {
	const char *name;
	void (*make_name)(
		const struct assessment *assessment, const struct group *group, struct line *line);
	const char *details;
	void (*make_details)(const struct assessment *assessment, const struct group *group,
		int64_t now, struct line *line);
} kinds[] = {
	[GROUP_PROCESS] = { .make_name = name_process, .make_details = detail_process },
	[GROUP_APPLICATION] = { .make_name = name_application, .details = "" },
	[GROUP_USER] = { .make_name = name_user, .details = "" },
	[GROUP_CLIENT] = { .make_name = name_client, .details = "" },
	[GROUP_HOST] = { .make_name = name_host, .make_details = detail_host },
	[GROUP_CONTAINER] = { .make_name = name_container, .make_details = detail_container },
	[GROUP_DATABASE] = { .make_name = name_database, .details = "" },
	[GROUP_POOL] = { .make_name = name_pool, .make_details = detail_pool },
	[GROUP_NO_CONTAINER] = { "in no container", .details = "" },
	[GROUP_NO_POOL] = { "in no pool", .details = "" },
	[GROUP_ADDRESS] = { .make_name = name_address, .details = "on another machine" },
	[GROUP_PROXIED] = { "behind the proxy",
		.details = "Enter shows which processes it may be" },
	[GROUP_LOOKING] = { .make_name = name_looking, .details = "" },
	[GROUP_GONE] = { "client gone", .details = "no process has their client end any more" },
	[GROUP_NOT_VISIBLE] = { "another user's process", .details = "dbtop as root shows which" },
	[GROUP_HIDDEN] = { "not visible to this role", .make_details = detail_hidden },
	[GROUP_FLAT] = { "", .details = "" },
};

void group_line_name(
	const struct assessment *assessment, const struct group *group, struct line *line)
{
	line_begin(line);
	if (kinds[group->kind].make_name)
		kinds[group->kind].make_name(assessment, group, line);
	else
		line_add(line, STYLE_GROUP, kinds[group->kind].name);
}

void group_line_details(const struct assessment *assessment, const struct group *group, int64_t now,
	struct line *line)
{
	line_begin(line);
	if (kinds[group->kind].make_details)
		kinds[group->kind].make_details(assessment, group, now, line);
	else
		line_add(line, STYLE_DIM, kinds[group->kind].details);
}

static void add_leaked(struct line *line, const struct group *group, int digits)
{
	if (group->leaked)
		line_printf(line, STYLE_LEAKED, "   %*u leaked", digits, group->leaked);
	else
		line_printf(line, STYLE_DIM, "   %*s       ", digits, "");
}

static void counts_long(const struct group *group, int digits, struct line *line)
{
	if (group->count && group->count < group->total)
		line_printf(line, STYLE_DIM, "%u of ", group->count);
	line_printf(line, STYLE_TEXT, "%*u", digits, group->total);
	line_add(line, STYLE_DIM, group->total == 1 ? " connection " : " connections");
	add_leaked(line, group, digits);
}

static void counts_medium(const struct group *group, int digits, struct line *line)
{
	line_printf(line, STYLE_TEXT, "%*u", digits, group->total);
	add_leaked(line, group, digits);
}

static void counts_short(const struct group *group, int digits, struct line *line)
{
	(void)digits;
	if (group->leaked)
		line_printf(line, STYLE_LEAKED, "%u leaked", group->leaked);
	else
		line_printf(line, STYLE_DIM, "%u", group->total);
}

void group_line_counts(const struct group *group, int digits, int table_width, struct line *line)
{
	line_begin(line);
	if (table_width >= 100)
		counts_long(group, digits, line);
	else if (table_width >= 60)
		counts_medium(group, digits, line);
	else
		counts_short(group, digits, line);
}
