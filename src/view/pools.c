/* One line for each pool, made of parts. The less important parts are left out where there is no
 * room. */
#include "view/pools.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/assessment.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

#define LABEL_WIDTH 8 /* " pools  " */
#define NAME_LEAST  10
#define NAME_MOST   28
#define BAR_MOST    8 /* cells */
#define GAP         3
#define PARTS_MOST  10

struct part {
	char text[128], brief[32]; /* brief: a shorter form for the last part; "" for none */
	enum style style;
	int rank; /* the highest ones are left out first */
};

struct parts {
	struct part items[PARTS_MOST];
	size_t count;
};

__attribute__((format(printf, 4, 5))) static void add(
	struct parts *parts, int rank, enum style style, const char *format, ...)
{
	if (parts->count == PARTS_MOST)
		return;
	struct part *part = &parts->items[parts->count++];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(part->text, sizeof(part->text), format, arguments);
	va_end(arguments);
	part->style = style;
	part->rank = rank;
	part->brief[0] = '\0';
}

/* Sets the brief form of the last part that was added. */
__attribute__((format(printf, 2, 3))) static void add_brief(
	struct parts *parts, const char *format, ...)
{
	if (!parts->count)
		return;
	struct part *part = &parts->items[parts->count - 1];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(part->brief, sizeof(part->brief), format, arguments);
	va_end(arguments);
}

/* Leaves out parts until the rest fits. If the last remaining one does not fit, its brief form is
 * shown, or it is cut. */
static void put_parts(struct grid *grid, int x, int y, int right, struct parts *parts)
{
	int width = 0;
	for (size_t i = 0; i < parts->count; i++)
		width += grid_width(grid, parts->items[i].text) + GAP;
	while (parts->count > 1 && x + width - GAP > right) {
		size_t least = 0;
		for (size_t i = 1; i < parts->count; i++)
			if (parts->items[i].rank >= parts->items[least].rank)
				least = i;
		width -= grid_width(grid, parts->items[least].text) + GAP;
		parts->count--;
		for (size_t i = least; i < parts->count; i++)
			parts->items[i] = parts->items[i + 1];
	}
	if (parts->count == 1 && x + width - GAP > right && *parts->items[0].brief)
		memcpy(parts->items[0].text, parts->items[0].brief, sizeof(parts->items[0].brief));
	for (size_t i = 0; i < parts->count && x < right; i++)
		x += GAP +
			grid_put(
				grid, x, y, right - x, parts->items[i].text, parts->items[i].style);
}

static enum style zero_dim(uint64_t count, enum style otherwise)
{
	return count ? otherwise : STYLE_DIM;
}

/* A shutdown in progress is more important than a held connection. */
static void add_phase(const struct pool_page *page, struct parts *parts)
{
	const char *phase = page->phase ? page->phase : "";
	if (page->pending_writes > 0) {
		add(parts, 0, STYLE_CAUTION, "%s · %lld pending writes", phase,
			(long long)page->pending_writes);
		add_brief(parts, "%.20s", phase);
	} else if (*phase && strcmp(phase, "running") != 0) {
		add(parts, 0, STYLE_CAUTION, "%s", phase);
	}
}

/* A hook that runs at the shutdown or went wrong: "hook outbox runs", "hook outbox failed". Of
 * several, the one that went wrong. */
static void add_hook(const struct pool_page *page, struct parts *parts)
{
	const struct pool_hook *shown = NULL;
	for (size_t i = 0; i < page->n_hooks; i++) {
		enum pool_hook_state state = page->hooks[i].state;
		if (state == POOL_HOOK_RUNNING || state > POOL_HOOK_DONE)
			if (!shown || shown->state == POOL_HOOK_RUNNING)
				shown = &page->hooks[i];
	}
	if (!shown)
		return;
	if (shown->state == POOL_HOOK_FAILED)
		add(parts, 0, STYLE_LEAKED, "hook %s failed", shown->name);
	else
		add(parts, 0, STYLE_CAUTION, "hook %s %s", shown->name,
			shown->state == POOL_HOOK_LATE ? "is late" : "runs");
}

static void add_hold(const struct pool *pool, struct parts *parts)
{
	const struct pool_page *page = pool->page;
	char text[DURATION_TEXT_MAX];
	duration_format(page->held_max, text);
	add(parts, 1, pool->leaked ? STYLE_LEAKED : STYLE_TEXT, "longest hold %s %s", text,
		page->held_site ? page->held_site : "");
	add_brief(parts, "held %s", text);
}

/* A write that waits for longer is not just on its way. */
#define OUTBOX_LATE (10 * USEC_PER_SEC)

static void add_outbox(const struct pool_page *page, struct parts *parts)
{
	const struct pool_outbox *outbox = &page->outbox;
	int64_t age = instant_elapsed(outbox->oldest_at, page->read_at);
	char text[DURATION_TEXT_MAX];
	if (!outbox->present)
		return;
	if (outbox->waiting && age >= 0)
		add(parts, 2, age >= OUTBOX_LATE ? STYLE_CAUTION : STYLE_TEXT, "outbox %lld for %s",
			(long long)outbox->waiting, duration_format(age, text));
	else
		add(parts, 6, zero_dim((uint64_t)outbox->waiting, STYLE_TEXT), "outbox %lld",
			(long long)outbox->waiting);
	if (outbox->rejected)
		add(parts, 2, STYLE_CAUTION, "outbox rejected %lld", (long long)outbox->rejected);
}

/* A dead process that is known to have left nothing has no line: one without a connection is shown
 * while the server's rows are not known. */
static void page_parts(const struct pool *pool, struct parts *parts)
{
	const struct pool_page *page = pool->page;
	if (pool->unsure)
		add(parts, 0, STYLE_CAUTION, "leads to %.100s",
			page->server ? page->server : "an unnamed server");
	if (page->status == POOL_PAGE_DEAD && !pool->connections) {
		add(parts, 0, STYLE_DIM, "its process has ended");
		add_outbox(page, parts);
		return;
	}
	if (page->status == POOL_PAGE_DEAD) {
		add(parts, 0, pool->connections ? STYLE_LEAKED : STYLE_DIM,
			"its process has ended · %u connection%s left behind", pool->connections,
			plural_s(pool->connections));
		add_brief(parts, "ended, %u left", pool->connections);
		add_outbox(page, parts);
		return;
	}
	add(parts, 2, zero_dim((uint64_t)page->waiting, STYLE_CAUTION), "waiting %d",
		page->waiting);
	if (pool_page_is_unseen(page))
		add(parts, 2, STYLE_DIM, "process cannot be seen");
	add_phase(page, parts);
	add_hook(page, parts);
	add_outbox(page, parts);
	add(parts, 4, zero_dim(page->timeouts, STYLE_CAUTION), "timeouts %llu",
		(unsigned long long)page->timeouts);
	add(parts, 3, zero_dim(page->errors, STYLE_CAUTION), "errors %llu",
		(unsigned long long)page->errors);
	if (page->wait_p99 >= 0)
		add(parts, 5, STYLE_DIM, "p99 %.1fms", (double)page->wait_p99 / 1000);
	if (page->held_max >= 0)
		add_hold(pool, parts);
}

/* The waiter that has waited for longest in this pool. */
static const struct waiter *first_waiter(
	const struct assessment *assessment, const struct pool *pool)
{
	for (size_t i = 0; i < assessment->n_waiters; i++)
		if (assessment->waiters[i].pool == pool)
			return &assessment->waiters[i];
	return NULL;
}

static const char *process_name(const struct assessment *assessment, const struct waiter *waiter)
{
	if (!waiter || waiter->process == NO_PROCESS)
		return NULL;
	const struct process *process = &assessment->processes[waiter->process].process;
	return process->command ? process->command : process->name;
}

static void bouncer_parts(const struct frame *frame, const struct pool *pool, struct parts *parts)
{
	const struct bouncer_pool *bouncer = pool->bouncer;
	const struct waiter *waiter = first_waiter(frame->assessment, pool);
	const char *name = process_name(frame->assessment, waiter);
	char text[DURATION_TEXT_MAX];
	add(parts, 1, zero_dim((uint64_t)bouncer->clients_waiting, STYLE_CAUTION), "waiting %d",
		bouncer->clients_waiting);
	if (bouncer->paused || bouncer->disabled)
		add(parts, 0, STYLE_CAUTION, bouncer->disabled ? "disabled" : "paused");
	add(parts, 4, STYLE_DIM, "clients %d", bouncer->clients_active);
	if (bouncer->clients_waiting > 0)
		add(parts, 2, STYLE_CAUTION, "max wait %s",
			duration_format(bouncer->max_wait, text));
	if (name)
		add(parts, 3, STYLE_CAUTION, "starving: %.80s %d", name,
			frame->assessment->processes[waiter->process].process.pid);
	add(parts, 5, STYLE_DIM, "%s", bouncer->mode_text ? bouncer->mode_text : "");
}

static void name_pool(
	const struct assessment *assessment, const struct pool *pool, char *text, size_t size)
{
	const char *name = pool->name ? pool->name : "unnamed";
	if (pool->page && pool->page->host)
		snprintf(text, size, "%.80s %d@%.80s", name, pool->page->pid, pool->page->host);
	else if (pool->page)
		snprintf(text, size, "%.80s %d", name, pool->page->pid);
	else if (assessment->n_bouncers > 1)
		snprintf(text, size, "%.80s @ %.80s", name, pool->console->name);
	else
		snprintf(text, size, "pgbouncer %.160s", name);
}

static int name_width(const struct frame *frame, int most)
{
	const struct assessment *assessment = frame->assessment;
	int width = NAME_LEAST;
	for (size_t i = 0; i < assessment->n_pools; i++) {
		char name[192];
		if (!pool_is_shown(&assessment->pools[i]))
			continue;
		name_pool(assessment, &assessment->pools[i], name, sizeof(name));
		int own = grid_width(frame->grid, name);
		width = own > width ? own : width;
	}
	return width < most ? width : most;
}

/* The width of the longest bar. */
static int bar_width(const struct frame *frame)
{
	int width = 0, most = frame->grid->width >= 100 ? BAR_MOST : BAR_MOST / 2;
	for (size_t i = 0; i < frame->assessment->n_pools; i++) {
		const struct pool *pool = &frame->assessment->pools[i];
		int max = pool_is_shown(pool) ? pool_max(pool) : 0;
		width = max > width ? max : width;
	}
	return width < most ? width : most;
}

static void format_numbers(const struct pool *pool, char *text, size_t size)
{
	int used = pool_in_use(pool), max = pool_max(pool);
	if (max > 0)
		snprintf(text, size, "%d/%d", used, max);
	else
		snprintf(text, size, "%d", used);
}

/* "3/20": the width of the longest one. */
static int numbers_width(const struct assessment *assessment)
{
	int width = 0;
	for (size_t i = 0; i < assessment->n_pools; i++) {
		char text[32];
		format_numbers(&assessment->pools[i], text, sizeof(text));
		int own = (int)strlen(text);
		width = own > width ? own : width;
	}
	return width;
}

/* One cell for each connection if there are few. */
static void draw_bar(struct grid *grid, int x, int y, int width, const struct pool *pool)
{
	int used = pool_in_use(pool), max = pool_max(pool);
	if (max <= 0 || used < 0)
		return;
	int cells = max < width ? max : width;
	int full = used >= max ? cells : (int)(((int64_t)used * cells + max - 1) / max);
	enum style style = used >= max ? STYLE_CAUTION : STYLE_USED;
	if (pool->leaked)
		style = STYLE_USED_LEAKED;
	grid_fill(grid, (struct rect){ x, y, full, 1 }, U'█', style);
	grid_fill(grid, (struct rect){ x + full, y, cells - full, 1 }, U'░', STYLE_FREE);
}

static void draw_pool(const struct frame *frame, const struct pool *pool, int y, int right)
{
	struct grid *grid = frame->grid;
	struct parts parts = { .count = 0 };
	char text[192];
	int names = name_width(frame, grid->width >= 100 ? NAME_MOST : NAME_MOST - 8);
	int bars = bar_width(frame);
	int x = LABEL_WIDTH, used = pool_in_use(pool), max = pool_max(pool);
	name_pool(frame->assessment, pool, text, sizeof(text));
	grid_put(grid, x, y, names, text, STYLE_TEXT);
	x += names + 2;
	draw_bar(grid, x, y, bars, pool);
	x += bars + 1;
	format_numbers(pool, text, sizeof(text));
	int numbers = numbers_width(frame->assessment);
	grid_put(grid, x, y, numbers, text, used >= max && max > 0 ? STYLE_CAUTION : STYLE_TEXT);
	x += numbers + GAP;
	if (pool->page)
		page_parts(pool, &parts);
	else
		bouncer_parts(frame, pool, &parts);
	put_parts(grid, x, y, right, &parts);
}

static bool is_trouble(const struct source_state *source)
{
	return source->status == SOURCE_FAILED || source->status == SOURCE_STALE;
}

static void draw_source(
	const struct frame *frame, const struct source_state *source, int y, int right)
{
	struct grid *grid = frame->grid;
	struct parts parts = { .count = 0 };
	char age[DURATION_TEXT_MAX];
	int x = LABEL_WIDTH;
	x += grid_put(grid, x, y, NAME_MOST + 10, source->name, STYLE_CAUTION) + 2;
	if (source->status == SOURCE_STALE)
		add(&parts, 0, STYLE_CAUTION, "data %s old",
			duration_format(instant_elapsed(source->taken_at, frame->now), age));
	if (source->error)
		add(&parts, 1, STYLE_CAUTION, "%s", source->error);
	put_parts(grid, x, y, right, &parts);
}

static void draw_unreadable(
	const struct frame *frame, const struct pool_page *page, int y, int right)
{
	struct grid *grid = frame->grid;
	int half = (right - LABEL_WIDTH) / 2;
	int x = LABEL_WIDTH + 2;
	int width = grid_width(grid, page->path);
	width = width < half ? width : half;
	grid_put_tail(grid, LABEL_WIDTH, y, width, page->path, STYLE_DIM);
	grid_put(grid, x + width, y, right - x - width, page->error, STYLE_CAUTION);
}

/* Draws the summary of the pools without a line, and the key that clears them. */
static void draw_folded(
	const struct frame *frame, const char *folded, size_t spent, int y, int right)
{
	const struct ui_state *ui = frame->ui;
	bool can_clear = spent && !ui->readonly && !ui->replay.count;
	struct parts parts = { .count = 0 };
	add(&parts, 0, STYLE_DIM, "%s", folded);
	if (can_clear)
		add(&parts, 1, STYLE_DIM, "X clears %s", spent == 1 ? "it" : "them");
	put_parts(frame->grid, LABEL_WIDTH, y, right, &parts);
}

/* Visits the lines in their order: sources with errors, pools, pages that cannot be read, and the
 * number of pools without a line. Draws the index-th one; with a NULL frame it only counts. Returns
 * how many there are. */
static int each_line(
	const struct frame *frame, const struct assessment *assessment, int index, int y, int right)
{
	int count = 0;
	size_t spent;
	char folded[POOL_FOLDED_MAX];
	const struct pool_pages *pages = assessment->pages;
	for (size_t i = SOURCE_PAGES; i < assessment->n_sources; i++)
		if (is_trouble(&assessment->sources[i]) && count++ == index && frame)
			draw_source(frame, &assessment->sources[i], y, right);
	for (size_t i = 0; i < assessment->n_pools; i++)
		if (pool_is_shown(&assessment->pools[i]) && count++ == index && frame)
			draw_pool(frame, &assessment->pools[i], y, right);
	for (size_t i = 0; pages && i < pages->count; i++)
		if (pages->items[i].error && count++ == index && frame)
			draw_unreadable(frame, &pages->items[i], y, right);
	if (*pool_folded(assessment->pools, assessment->n_pools, &spent, folded) &&
		count++ == index && frame)
		draw_folded(frame, folded, spent, y, right);
	return count;
}

/* How many lines the panel needs. */
static int count_lines(const struct assessment *assessment)
{
	return each_line(NULL, assessment, -1, 0, 0);
}

int pools_draw(const struct frame *frame, int y, int lines)
{
	struct grid *grid = frame->grid;
	int count = count_lines(frame->assessment), right = grid->width - 1;
	int shown = count < lines ? count : lines;
	if (shown <= 0)
		return 0;
	grid_put(grid, 1, y, LABEL_WIDTH - 1, "pools", STYLE_DIM);
	for (int i = 0; i < shown; i++) {
		bool last = i == shown - 1 && shown < count;
		char more[32];
		snprintf(more, sizeof(more), "  +%d more", count - shown);
		int width = last ? (int)strlen(more) : 0;
		each_line(frame, frame->assessment, i, y + i, right - width);
		if (last)
			grid_put(grid, right - width, y + i, width, more, STYLE_CAUTION);
	}
	return shown;
}
