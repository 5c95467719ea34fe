/* The details screen: its facts at several sizes, and for a connection that has ended. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/instant.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "model/session_ends.h"
#include "sample.h"
#include "screen_text.h"
#include "view/details.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

struct world {
	struct assessment *assessment;
	struct ui_state ui;
	struct details details;
	struct grid grid;
	char *text;
};

static void open_world(struct world *world, enum sample_kind kind, int32_t pid)
{
	*world = (struct world){ .assessment = sample_assessment(kind) };
	ui_init(&world->ui, screen_keys, n_screen_keys);
	grid_init(&world->grid);
	details_open(&world->details, &world->ui, sample_find(world->assessment, pid));
}

static const char *draw(struct world *world, int width, int height)
{
	free(world->text);
	details_settle(&world->details, &world->ui, world->assessment);
	screen_show(world->assessment, NULL, &world->ui, NULL, width, height, &world->grid);
	world->text = screen_text(&world->grid);
	return world->text;
}

static void close_world(struct world *world)
{
	free(world->text);
	ui_deinit(&world->ui);
	details_deinit(&world->details);
	grid_deinit(&world->grid);
	assessment_free(world->assessment);
}

static void check_has(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("\"%s\" is not in\n%s", wanted, text);
}

static void check_lacks(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted))
		fail_msg("\"%s\" is in\n%s", unwanted, text);
}

static void test_each_verdict_is_explained(void **state)
{
	static const struct {
		int32_t pid;
		const char *verdict, *because, *action;
	} cases[] = {
		{ 9801, "LEAKED, proven: client gone", "No socket on this machine has",
			"ends it, if" },
		{ 9912, "LEAKED, declared: held too long", "limit of 1m00s", "rolled back" },
		{ 9770, "LEAKED, presumed: idle too long", "that is why it is presumed",
			"is not known" },
		{ 9914, "in its pool's reserve", "waits in the pool", "it is not leaked" },
		{ 9971, "waits for notifications", "it is meant to wait", "it is not leaked" },
		{ 9990, "dbtop's own", "it is dbtop's own session", "nothing: it is dbtop's own" },
		{ 9980, "unknown", "GRANT pg_monitor TO dbtop;", "nothing: the server hides it" },
		{ 9960, "idle, for 3.0s", "presumed leaked after 5m00s idle", "no statement runs" },
		{ 9964, "at work", "not leaked, unless", "cancels the running statement" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		open_world(&world, SAMPLE_SCREEN, cases[i].pid);
		const char *text = draw(&world, 130, 60);
		check_has(text, cases[i].verdict);
		check_has(text, cases[i].because);
		check_has(text, cases[i].action);
		close_world(&world);
	}
}

static void test_process_and_statement(void **state)
{
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9964);
	const char *text = draw(&world, 130, 60);
	check_has(text, "6001 node");
	check_has(text, "node server.js");
	check_has(text, "web.service");
	check_has(text, "tcp: its socket has the client's address and port");
	/* The statement keeps its line breaks. */
	check_has(text, "SELECT count(*) ");
	check_has(text, "  FROM orders ");
	close_world(&world);
}

/* As after a fork. */
static void test_shared_by(void **state)
{
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9964);
	check_lacks(draw(&world, 130, 60), "shared by");
	sample_find(world.assessment, 9964)->shared_by = 2;
	const char *text = draw(&world, 130, 60);
	check_has(text, "shared by");
	check_has(text, "2 processes, as after a fork");
	close_world(&world);
}

/* What an open transaction keeps vacuum from, and where its process waits. */
static void test_what_it_holds_back_and_does(void **state)
{
	const struct pool_page page = {
		.status = POOL_PAGE_LIVE, .name = "app", .phase = "running"
	};
	const struct pool pool = { .kind = POOL_DBPOOL, .page = &page };
	const struct pool_slot slot = { .number = 1, .state = POOL_SLOT_IN_USE, .thread = 4315 };
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9964);
	check_lacks(draw(&world, 130, 60), "holds back");
	struct connection *connection = sample_find(world.assessment, 9964);
	struct process *process = &world.assessment->processes[connection->process].process;
	((struct backend *)connection->backend)->xmin_age = 1234;
	process->state = 'S';
	strcpy(process->wait_channel, "futex_wait_queue");
	connection->pool = &pool;
	connection->slot = &slot;
	const char *text = draw(&world, 130, 60);
	check_has(text, "vacuum: it keeps what the last 1234 transactions deleted");
	check_has(text, "sleeps in futex_wait_queue · its thread 4315 borrowed the connection");
	close_world(&world);
}

static void test_pool_slot(void **state)
{
	struct pool_page page = { .status = POOL_PAGE_LIVE,
		.owner_visible = true,
		.name = "app",
		.pid = 4312,
		.phase = "running",
		.in_use = 2,
		.max = 3 };
	const struct pool pool = { .kind = POOL_DBPOOL, .page = &page };
	const struct pool_slot slot = { .number = 1,
		.state = POOL_SLOT_IN_USE,
		.since = SAMPLE_NOW - 432 * USEC_PER_SEC,
		.site = "sync.c:212",
		.thread = 4315 };
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9912);
	sample_find(world.assessment, 9912)->pool = &pool;
	sample_find(world.assessment, 9912)->slot = &slot;
	const char *text = draw(&world, 130, 60);
	check_has(text, "app of process 4312, running: 2 of 3 in use, 0 waiting");
	check_has(text, "1, borrowed 7m12s ago at sync.c:212 by thread 4315");
	/* of another pid namespace: the number is none of ours */
	page.owner_visible = false;
	text = draw(&world, 130, 60);
	check_has(text, "app of process 4312 (cannot be seen from here), running: 2 of 3 in use");
	page.owner_visible = true;
	text = draw(&world, 130, 60);
	check_lacks(text, "PgBouncer ");
	close_world(&world);
}

static void test_outbox(void **state)
{
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_OUTBOX, 9912);
	struct pool_outbox *outbox = &world.assessment->pages->items[0].outbox;
	check_has(draw(&world, 130, 60),
		"outbox         12 writes wait, the oldest for 3m12s; the server rejected 2");
	*outbox = (struct pool_outbox){
		.present = true, .waiting = 1, .oldest_at = outbox->oldest_at
	};
	check_has(draw(&world, 130, 60), "outbox         1 write waits for 3m12s");
	*outbox = (struct pool_outbox){ .present = true, .oldest_at = INSTANT_UNKNOWN };
	check_has(draw(&world, 130, 60), "outbox         no write waits");
	outbox->present = false;
	check_lacks(draw(&world, 130, 60), "outbox   ");
	close_world(&world);
}

static void test_pgbouncer_link(void **state)
{
	const struct bouncer console = { .name = "127.0.0.1:6432" };
	const struct bouncer_pool inside = {
		.mode_text = "transaction", .servers_active = 3, .clients_waiting = 2
	};
	const struct pool pool = {
		.kind = POOL_PGBOUNCER, .name = "app/app", .console = &console, .bouncer = &inside
	};
	const struct bouncer_server server = { .linked = true };
	const struct bouncer_client client = { .application_name = "jobs" };
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9972);
	struct connection *connection = sample_find(world.assessment, 9972);
	connection->pool = &pool;
	connection->bouncer_server = &server;
	check_has(draw(&world, 130, 60), "which one changes too fast to tell");
	connection->bouncer_client = &client;
	const char *text = draw(&world, 130, 60);
	check_has(text, "app/app at 127.0.0.1:6432, transaction mode: 3 servers at work");
	check_has(text, "(jobs) is linked to it");
	close_world(&world);
}

static void test_readonly_does_nothing(void **state)
{
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9912);
	world.ui.readonly = true;
	check_has(draw(&world, 130, 60), "nothing: dbtop is read-only");
	check_lacks(draw(&world, 130, 60), "ends it");
	close_world(&world);
}

/* Scrolled to the end, it shows its last line at any size. */
static void test_sizes(void **state)
{
	static const int sizes[][2] = { { 200, 50 }, { 120, 36 }, { 80, 24 }, { 40, 12 }, { 30, 8 },
		{ 12, 4 }, { 1, 1 } };
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct world world;
		open_world(&world, SAMPLE_HOSTILE, 9912);
		draw(&world, sizes[i][0], sizes[i][1]);
		ui_end(&world.ui);
		const char *text = draw(&world, sizes[i][0], sizes[i][1]);
		if (sizes[i][0] >= 30)
			check_has(text, "runs ");
		close_world(&world);
	}
}

static void test_follows_and_reports_the_end(void **state)
{
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9912);
	check_has(draw(&world, 130, 60), "┌ backend 9912 ─");
	/* the same pid, another session */
	((struct backend *)sample_find(world.assessment, 9912)->backend)->start += 1;
	world.assessment->now += 5 * USEC_PER_SEC;
	world.ui.now = world.assessment->now + 7 * USEC_PER_SEC;
	const char *text = draw(&world, 130, 60);
	check_has(text, "backend 9912 has ended, 7.0s ago");
	check_has(text, "LEAKED, declared: held too long");
	/* Back to the first session: only the other assessment lacked it. */
	((struct backend *)sample_find(world.assessment, 9912)->backend)->start -= 1;
	check_has(draw(&world, 130, 60), "┌ backend 9912 ─");
	close_world(&world);
}

static void test_no_answer_is_no_end(void **state)
{
	struct world world;
	(void)state;
	open_world(&world, SAMPLE_SCREEN, 9912);
	draw(&world, 130, 60);
	assessment_free(world.assessment);
	world.assessment = sample_assessment(SAMPLE_REFUSED);
	check_lacks(draw(&world, 130, 60), "has ended");
	close_world(&world);
}

static void test_how_sessions_of_the_database_ended(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, SAMPLE_SCREEN, 9912);
	check_lacks(draw(&world, 130, 60), "sessions lost");
	const char *database = sample_find(world.assessment, 9912)->backend->database;
	struct database_ends item = { database, 12, 1, 3, INSTANT_UNKNOWN };
	struct session_ends ends = { .items = &item, .count = 1, .refs = 2 };
	world.assessment->session_ends = &ends;
	check_has(draw(&world, 130, 60), "12 abandoned, 1 fatal, 3 killed in this database ");
	item.reset_at = 0;
	check_has(draw(&world, 130, 60), "in this database since 1970-01-01T00:00:00");
	item.killed = -1;
	check_lacks(draw(&world, 130, 60), "sessions lost");
	item.killed = 3;
	item.database = "another";
	check_lacks(draw(&world, 130, 60), "sessions lost");
	close_world(&world);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_verdict_is_explained),
		cmocka_unit_test(test_process_and_statement),
		cmocka_unit_test(test_shared_by),
		cmocka_unit_test(test_what_it_holds_back_and_does),
		cmocka_unit_test(test_how_sessions_of_the_database_ended),
		cmocka_unit_test(test_pool_slot),
		cmocka_unit_test(test_outbox),
		cmocka_unit_test(test_pgbouncer_link),
		cmocka_unit_test(test_readonly_does_nothing),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_follows_and_reports_the_end),
		cmocka_unit_test(test_no_answer_is_no_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
