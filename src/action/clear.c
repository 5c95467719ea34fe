/* The plan from the assessment; the work on a thread, with a copy of what it needs. */
#include "action/clear.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/worker.h"
#include "model/assessment.h"
#include "model/clearing.h"
#include "model/rules.h"
#include "page/reader.h"

static bool matches(const regex_t *scope, const char *text)
{
	return text && regexec(scope, text, 0, NULL, 0) == 0;
}

/* As its sessions would be: by the name that they went by, or its process. */
static bool is_in_scope(const struct rules *rules, const struct pool_page *page)
{
	char name[128];
	snprintf(name, sizeof(name), "%.80s/%d/1", page->name ? page->name : "", page->pid);
	return !rules->scope || matches(rules->scope, name) ||
		matches(rules->scope, page->process ? page->process->name : NULL);
}

static struct clearing_page make_page(struct arena *arena, const struct pool_page *page)
{
	return (struct clearing_page){
		.path = arena_strdup(arena, page->path),
		.name = arena_strdup(arena, page->name),
		.process = page->process ? arena_strdup(arena, page->process->command) : NULL,
		.pid = page->pid,
		.start_ticks = page->start_ticks,
		.dead_since = page->dead_since,
	};
}

struct clearing *clear_plan(
	const struct assessment *assessment, const struct rules *rules, uint32_t uid)
{
	struct arena *arena = arena_new();
	struct clearing *clearing = arena_alloc(arena, sizeof(*clearing));
	*clearing = (struct clearing){
		.arena = arena,
		.made_at = assessment->now,
		.server = assessment_server(assessment, arena),
		.pages = arena_array(arena, assessment->n_pools, sizeof(*clearing->pages)),
	};
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool *pool = &assessment->pools[i];
		if (pool->spent && pool->page->uid == uid && is_in_scope(rules, pool->page))
			clearing->pages[clearing->n_pages++] = make_page(arena, pool->page);
	}
	return clearing;
}

struct job {
	char *path;
	int32_t pid;
	uint64_t start_ticks;
	int error;
};

struct clearer {
	struct clear_options options;
	struct clearing *clearing; /* NULL: none is under way */
	struct worker *worker;

	/* the worker's while it runs */
	struct job *jobs;
	size_t n_jobs;
};

static void clear_on_worker(void *data)
{
	struct clearer *clearer = data;
	struct page_host host;
	struct page_copy *buffer = mem_alloc(sizeof(*buffer));
	page_host_read("/proc", &host);
	for (size_t i = 0; i < clearer->n_jobs; i++) {
		struct job *job = &clearer->jobs[i];
		job->error = page_clear(job->path, &host, job->pid, job->start_ticks, buffer);
	}
	free(buffer);
}

static void settle(struct clearer *clearer, struct clearing_page *page, int error)
{
	switch (error) {
	case 0: page->result = CLEARING_CLEARED; break;
	case -ENOENT: page->result = CLEARING_GONE; break;
	case -ESTALE: page->result = CLEARING_CHANGED; break;
	default:
		page->result = CLEARING_DENIED;
		page->detail = arena_strdup(clearer->clearing->arena, strerror(-error));
		break;
	}
	if (clearer->options.audit)
		audit_cleared(clearer->options.audit, clearer->clearing, page, instant_now());
}

static void free_jobs(struct clearer *clearer)
{
	for (size_t i = 0; i < clearer->n_jobs; i++)
		free(clearer->jobs[i].path);
	free(clearer->jobs);
	clearer->jobs = NULL;
	clearer->n_jobs = 0;
}

static void destroy(void *data)
{
	struct clearer *clearer = data;
	free_jobs(clearer);
	free(clearer);
}

static void on_cleared(void *data)
{
	struct clearer *clearer = data;
	struct clearing *clearing = clearer->clearing;
	for (size_t i = 0; i < clearer->n_jobs; i++)
		settle(clearer, &clearing->pages[i], clearer->jobs[i].error);
	free_jobs(clearer);
	clearer->clearing = NULL;
	clearing->done = true;
	clearer->options.done(clearer->options.data);
}

struct clearer *clear_new(uv_loop_t *loop, const struct clear_options *options)
{
	struct clearer *clearer = mem_alloc(sizeof(*clearer));
	const struct worker_callbacks callbacks = { clearer, clear_on_worker, on_cleared, destroy };
	clearer->options = *options;
	clearer->worker = worker_new(loop, &callbacks);
	return clearer;
}

int clear_run(struct clearer *clearer, struct clearing *clearing)
{
	if (clearer->options.readonly)
		return -EPERM;
	if (clearer->clearing)
		return -EBUSY;
	if (clearing->n_pages == 0)
		return -EINVAL;
	if (clearer->options.audit) {
		audit_clearing(clearer->options.audit, clearing, instant_now());
		if (audit_error(clearer->options.audit) && !clearing->unaudited)
			return -EIO;
	}
	clearer->clearing = clearing;
	clearer->n_jobs = clearing->n_pages;
	clearer->jobs = mem_alloc(clearer->n_jobs * sizeof(*clearer->jobs));
	for (size_t i = 0; i < clearer->n_jobs; i++)
		clearer->jobs[i] = (struct job){
			.path = mem_strdup(clearing->pages[i].path),
			.pid = clearing->pages[i].pid,
			.start_ticks = clearing->pages[i].start_ticks,
		};
	worker_start(clearer->worker);
	return 0;
}

bool clear_busy(const struct clearer *clearer)
{
	return clearer->clearing != NULL;
}

void clear_free(struct clearer *clearer)
{
	if (clearer)
		worker_free(clearer->worker);
}
