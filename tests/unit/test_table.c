/* layout, search, line_skip: which columns are shown, and moving in the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/assessment.h"
#include "sample.h"
#include "screen_text.h"
#include "widgets/filter.h"
#include "widgets/grid.h"
#include "widgets/line.h"
#include "widgets/search.h"
#include "widgets/ui.h"

struct table {
	struct assessment *assessment;
	struct ui_state ui;
	struct grid grid;
	char *text;
};

static struct table *set_up(void)
{
	struct table *table = calloc(1, sizeof(*table));
	table->assessment = sample_assessment(SAMPLE_SCREEN);
	ui_init(&table->ui, screen_keys, n_screen_keys);
	grid_init(&table->grid);
	return table;
}

static const char *draw(struct table *table, int width, int height)
{
	free(table->text);
	screen_show(table->assessment, NULL, &table->ui, NULL, width, height, &table->grid);
	table->text = screen_text(&table->grid);
	return table->text;
}

static void tear_down(struct table *table)
{
	assessment_free(table->assessment);
	grid_deinit(&table->grid);
	ui_deinit(&table->ui);
	free(table->text);
	free(table);
}

/* app/4312/1 to app/4312/3 are one application; a name of another form is left whole. */
static void the_slots_of_a_pool_are_one_application(void **state)
{
	(void)state;
	struct table *table = set_up();
	table->ui.grouping = GROUPING_APPLICATION;
	CLEANUP(cleanup_free) char *text = strdup(draw(table, 140, 50));
	const char *group = strstr(text, "▾ app ");
	if (!group)
		fail_msg("%s", text);
	CLEANUP(cleanup_free) char *line = strndup(group, strcspn(group, "\n"));
	assert_non_null(strstr(line, "3 connections"));
	assert_null(strstr(text, "▾ app/4312"));
	assert_int_equal(pool_application_length("app/1/2"), 3);
	assert_int_equal(pool_application_length("a/b/1/2"), 3);
	assert_int_equal(pool_application_length("app/1"), 5);
	assert_int_equal(pool_application_length("/1/2"), 4);
	assert_int_equal(pool_application_length("app/x/2"), 7);
	assert_int_equal(pool_application_length("1/2"), 3);
	assert_int_equal(pool_application_length(NULL), 0);
	tear_down(table);
}

/* The processes of another machine are shown with it, and can be grouped by it. */
static void a_host_has_its_processes(void **state)
{
	(void)state;
	struct table *table = set_up();
	struct assessment *assessment = table->assessment;
	assert_false(group_has_hosts(assessment));
	for (size_t i = 0; i < assessment->n_processes; i++)
		if (strcmp(assessment->processes[i].process.name, "node") == 0)
			assessment->processes[i].process.host = "web1";
	assert_true(group_has_hosts(assessment));
	assert_non_null(strstr(draw(table, 140, 50), "6001 · on web1"));
	table->ui.grouping = GROUPING_HOST;
	const char *text = draw(table, 140, 50);
	const char *host = strstr(text, "▾ web1 ");
	if (!host || !strstr(text, "▾ this machine ") || !strstr(text, "elsewhere: 10.0.0.7"))
		fail_msg("%s", text);
	CLEANUP(cleanup_free) char *line = strndup(host, strcspn(host, "\n"));
	assert_non_null(strstr(line, "5 connections"));
	assert_non_null(strstr(text, "6001@web1"));
	tear_down(table);
}

static void connections_are_grouped_by_user_and_client(void **state)
{
	(void)state;
	struct table *table = set_up();
	table->ui.grouping = GROUPING_USER;
	const char *text = draw(table, 140, 50);
	if (!strstr(text, "▾ app ") || !strstr(text, "▾ alice "))
		fail_msg("%s", text);
	table->ui.grouping = GROUPING_CLIENT;
	text = draw(table, 140, 50);
	if (!strstr(text, "▾ 10.0.0.7 ") || !strstr(text, "▾ 127.0.0.1 "))
		fail_msg("%s", text);
	tear_down(table);
}

/* The processes of one container are one group; without containers the key leaves it out. */
static void connections_are_grouped_by_container(void **state)
{
	(void)state;
	struct table *table = set_up();
	assert_false(group_is_useful(table->assessment, GROUPING_CONTAINER));
	struct client_process *processes = table->assessment->processes;
	for (size_t i = 0; i < table->assessment->n_processes; i++) {
		bool is_inside = strcmp(processes[i].process.name, "java") == 0 ||
			strcmp(processes[i].process.name, "node") == 0;
		processes[i].process.container = is_inside ? "reports_1" : NULL;
		processes[i].process.image = "registry/reports:7";
	}
	assert_true(group_is_useful(table->assessment, GROUPING_CONTAINER));
	table->ui.grouping = GROUPING_CONTAINER;
	const char *text = draw(table, 140, 50);
	const char *group = strstr(text, "▾ reports_1");
	if (!group || strstr(group + 1, "▾ reports_1"))
		fail_msg("%s", text);
	CLEANUP(cleanup_free) char *line = strndup(group, strcspn(group, "\n"));
	assert_non_null(strstr(line, "registry/reports:7"));
	assert_non_null(strstr(text, "▾ in no container"));
	tear_down(table);
}

/* A process whose sockets have no session yet has no connection, but a row of its own; one that has
 * both has a single row. */
static void a_process_that_logs_in_has_a_row(void **state)
{
	(void)state;
	struct table *table = set_up();
	struct client_process *processes = table->assessment->processes;
	for (size_t i = 0; i < table->assessment->n_processes; i++) {
		bool is_java = strcmp(processes[i].process.name, "java") == 0;
		processes[i].logging_in = is_java ? 20 : processes[i].process.pid == 6001;
	}
	for (size_t i = 0; i < table->assessment->n_connections; i++)
		if (table->assessment->connections[i].backend->pid == 9770)
			table->assessment->connections[i].in_scope = false;
	const char *text = draw(table, 140, 50);
	const char *java = strstr(text, "java -jar reports.jar --nightly");
	const char *node = strstr(text, "node server.js");
	assert_non_null(java);
	assert_non_null(node);
	CLEANUP(cleanup_free) char *line = strndup(java, strcspn(java, "\n"));
	assert_non_null(strstr(line, "4700 · 20 not logged in · reports"));
	assert_non_null(strstr(line, "0 connections"));
	const char *facts = strstr(node, "6001 · 1 not logged in · app");
	assert_non_null(facts);
	assert_null(strstr(facts + 1, "6001 · "));
	tear_down(table);
}

/* The line of the table's headings. */
static char *headings(struct table *table, int width)
{
	const char *text = draw(table, width, 36);
	const char *at = strstr(text, "BACKEND");
	const char *from = at ? at : text;
	while (from > text && from[-1] != '\n')
		from--;
	return strndup(from, strcspn(from, "\n"));
}

static void columns_are_the_users_in_his_order(void **state)
{
	(void)state;
	static const char *const names[] = { "pid", "age", "user", "txn", "wait", "query" };
	static const char *const order[] = { "BACKEND", "AGE", "USER", "TXN", "WAIT", "QUERY" };
	const size_t count = sizeof(names) / sizeof(names[0]);
	struct table *table = set_up();
	ui_set_columns(&table->ui, names, count);
	assert_int_equal(table->ui.n_columns, count);
	CLEANUP(cleanup_free) char *line = headings(table, 160);
	const char *at = line;
	for (size_t i = 0; i < count; i++) {
		at = strstr(at, order[i]);
		assert_non_null(at);
	}
	assert_null(strstr(line, "STATUS"));
	tear_down(table);
}

static void every_name_is_a_column(void **state)
{
	(void)state;
	size_t count;
	const char *const *names = column_names(&count);
	assert_true(count > COLUMN_COUNT);
	for (size_t i = 0; i < count; i++)
		assert_true(column_find(names[i], strlen(names[i])) != COLUMN_NONE);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		assert_int_equal(column_find(names[i], strlen(names[i])), i);
}

/* In a table this narrow some columns are left out; moving shows them. */
static void columns_without_room_can_be_reached(void **state)
{
	(void)state;
	struct table *table = set_up();
	CLEANUP(cleanup_free) char *first = headings(table, 70);
	assert_null(strstr(first, "CLIENT"));
	assert_non_null(strstr(first, "›"));
	assert_null(strstr(first, "‹"));
	bool seen = false;
	for (int i = 0; i < 8; i++) {
		ui_pan(&table->ui, 1);
		CLEANUP(cleanup_free) char *line = headings(table, 70);
		assert_non_null(strstr(line, "‹"));
		assert_non_null(strstr(line, "BACKEND"));
		seen |= strstr(line, "CLIENT") != NULL;
	}
	assert_true(seen);
	for (int i = 0; i < 8; i++)
		ui_pan(&table->ui, -1);
	ui_pan(&table->ui, -1);
	CLEANUP(cleanup_free) char *again = headings(table, 70);
	assert_string_equal(first, again);
	tear_down(table);
}

static void moving_ends_where_there_is_nothing_more(void **state)
{
	(void)state;
	struct table *table = set_up();
	draw(table, 80, 24);
	for (int i = 0; i < 1000; i++) {
		ui_pan(&table->ui, 1);
		draw(table, 80, 24);
	}
	assert_int_equal(table->ui.pan, table->ui.shown.most_pan);
	tear_down(table);
}

static void a_line_loses_its_beginning(void **state)
{
	(void)state;
	struct grid grid;
	struct line line;
	grid_init(&grid);
	grid_reset(&grid, 80, 1);
	line_begin(&line);
	line_add(&line, STYLE_LEAKED, "idle too long");
	line_add(&line, STYLE_TEXT, " SELECT 漢字 FROM t");
	line_skip(&grid, &line, 5);
	assert_string_equal(line.text, "…oo long SELECT 漢字 FROM t");
	assert_int_equal(line.spans[0].from, 0);
	assert_memory_equal(line.text + line.spans[1].from, " SELECT", 7);
	line_skip(&grid, &line, 16);
	assert_string_equal(line.text, "…字 FROM t");
	line_skip(&grid, &line, 100);
	assert_string_equal(line.text, "");
	assert_int_equal(line_width(&grid, &line), 0);
	grid_deinit(&grid);
}

static void type(struct ui_state *ui, const char *text)
{
	ui_filter_begin(ui);
	for (; *text; text++)
		ui_filter_type(ui, (char32_t)*text);
	ui_filter_keep(ui);
}

static int32_t pid_under_cursor(const struct ui_state *ui)
{
	return ui->selected.kind == IDENTITY_CONNECTION ? (int32_t)ui->selected.a : 0;
}

static void what_was_filtered_is_searched_for(void **state)
{
	(void)state;
	struct table *table = set_up();
	struct ui_state *ui = &table->ui;
	draw(table, 120, 36);
	search_go(ui, table->assessment, 1);
	assert_non_null(ui->notice);
	assert_null(search_marked(ui));
	type(ui, "status:leaked");
	draw(table, 120, 36);
	ui_filter_clear(ui);
	draw(table, 120, 36);
	ui_home(ui);
	int32_t seen[4];
	for (int i = 0; i < 4; i++) {
		search_go(ui, table->assessment, 1);
		draw(table, 120, 36);
		seen[i] = pid_under_cursor(ui);
		const struct connection *connection = sample_find(table->assessment, seen[i]);
		assert_non_null(connection);
		assert_int_equal(connection->verdict.status, STATUS_LEAKED);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
	}
	/* Wraps around at the end, and back. */
	search_go(ui, table->assessment, 1);
	assert_int_equal(pid_under_cursor(ui), seen[0]);
	search_go(ui, table->assessment, -1);
	assert_int_equal(pid_under_cursor(ui), seen[3]);
	assert_ptr_equal(search_marked(ui), &ui->search);
	ui_filter_clear(ui);
	assert_null(search_marked(ui));
	type(ui, "nowhere-to-be-found");
	ui_filter_clear(ui);
	draw(table, 120, 36);
	search_go(ui, table->assessment, 1);
	assert_non_null(strstr(ui->notice, "not found"));
	tear_down(table);
}

static void one_is_followed_until_it_ends(void **state)
{
	(void)state;
	struct table *table = set_up();
	struct ui_state *ui = &table->ui;
	draw(table, 120, 36);
	search_toggle_follow(ui);
	assert_false(ui->following); /* a group's line */
	ui_move(ui, 1);
	draw(table, 120, 36);
	struct identity followed = ui->selected;
	assert_int_equal(followed.kind, IDENTITY_CONNECTION);
	search_toggle_follow(ui);
	assert_true(ui->following);
	/* A connection that is not shown is still followed. */
	type(ui, "nowhere-to-be-found");
	table->assessment->now += USEC_PER_SEC;
	draw(table, 120, 36);
	ui_filter_clear(ui);
	table->assessment->now += USEC_PER_SEC;
	draw(table, 120, 36);
	assert_true(ui->following);
	assert_true(identity_equal(ui->selected, followed));
	/* Another session with the same pid is not followed. */
	struct connection *connection = sample_find(table->assessment, (int32_t)followed.a);
	struct backend other = *connection->backend;
	other.start += USEC_PER_SEC;
	connection->backend = &other;
	table->assessment->now += USEC_PER_SEC;
	draw(table, 120, 36);
	assert_false(ui->following);
	assert_non_null(strstr(ui->notice, "has ended"));
	tear_down(table);
}

static void moving_lets_it_go(void **state)
{
	(void)state;
	struct table *table = set_up();
	draw(table, 120, 36);
	ui_move(&table->ui, 1);
	draw(table, 120, 36);
	search_toggle_follow(&table->ui);
	ui_move(&table->ui, 1);
	assert_false(table->ui.following);
	tear_down(table);
}

static void the_cursor_is_on_the_first_row_until_it_is_moved(void **state)
{
	(void)state;
	struct table *table = set_up();
	struct ui_state *ui = &table->ui;
	ui->grouping = GROUPING_FLAT;
	draw(table, 120, 36);
	struct identity first = ui->selected;
	ui_toggle_reverse(ui);
	draw(table, 120, 36);
	assert_int_equal(ui->row, 0);
	assert_false(identity_equal(ui->selected, first));
	struct identity last = ui->selected;
	ui_move(ui, 0);
	ui_toggle_reverse(ui);
	draw(table, 120, 36);
	assert_true(ui->row > 0);
	assert_true(identity_equal(ui->selected, last));
	tear_down(table);
}

static char *line_of(struct table *table, const char *what)
{
	const char *text = draw(table, 200, 40), *at = strstr(text, what);
	assert_non_null(at);
	while (at > text && at[-1] != '\n')
		at--;
	return strndup(at, strcspn(at, "\n"));
}

/* A value that the group's row shows is blank in its rows; other values are shown. */
static void what_the_group_says_is_not_repeated(void **state)
{
	(void)state;
	struct table *table = set_up();
	CLEANUP(cleanup_free) char *told = line_of(table, "9950");
	assert_null(strstr(told, "psql"));
	CLEANUP(cleanup_free) char *other = line_of(table, "9770");
	assert_non_null(strstr(other, "reports"));
	table->ui.grouping = GROUPING_FLAT;
	CLEANUP(cleanup_free) char *flat = line_of(table, "9950");
	assert_non_null(strstr(flat, "psql"));
	tear_down(table);
}

/* The share of the processor is known once a process was read twice. */
static void the_processor_takes_no_room_from_the_memory(void **state)
{
	(void)state;
	struct table *table = set_up();
	int shown = 0;
	struct process *process = &table->assessment->processes[0].process;
	process->rss_bytes = 123 << 20;
	for (int width = 60; width <= 200; width++) {
		process->cpu_percent = NAN;
		bool fits = strstr(draw(table, width, 50), " · 123M");
		process->cpu_percent = 4.5;
		if (fits && !strstr(draw(table, width, 50), " · 123M"))
			fail_msg("%d columns:\n%s", width, table->text);
		shown += fits;
	}
	assert_in_range(shown, 1, 140);
	assert_non_null(strstr(draw(table, 200, 50), " · 123M · cpu 4.5%"));
	tear_down(table);
}

/* Past this comment's end, or this literal. */
static const char *skip_comment(const char *at)
{
	if (at[0] != '/' || at[1] != '*')
		return at;
	const char *end = strstr(at + 2, "*/");
	return end ? end + 2 : at + strlen(at);
}

static void check_signs(struct grid *grid, const char *path)
{
	static char text[1 << 18];
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	for (const char *at = text; *(at = skip_comment(at));) {
		if ((unsigned char)*at < 0x80) {
			at++;
			continue;
		}
		char32_t c = text_next(&at);
		grid_reset(grid, 1, 1);
		grid_char(grid, 0, 0, c, STYLE_TEXT);
		if (grid_cell(grid, 0, 0)->c == '?')
			fail_msg("%s: U+%04X has no likeness in ASCII: see widgets/grid.c", path,
				(unsigned int)c);
	}
}

/* In a locale without UTF-8 the screen must not be full of question marks. */
static void every_sign_has_a_likeness(void **state)
{
	(void)state;
	struct grid grid;
	glob_t files;
	grid_init(&grid);
	grid.ascii = true;
	assert_int_equal(glob("src/widgets/*.c", 0, NULL, &files), 0);
	assert_int_equal(glob("src/view/*.c", GLOB_APPEND, NULL, &files), 0);
	assert_int_equal(glob("src/dashboard/[kp]*.c", GLOB_APPEND, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_signs(&grid, files.gl_pathv[i]);
	globfree(&files);
	grid_deinit(&grid);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_grouped_by_container),
		cmocka_unit_test(connections_are_grouped_by_user_and_client),
		cmocka_unit_test(a_process_that_logs_in_has_a_row),
		cmocka_unit_test(the_slots_of_a_pool_are_one_application),
		cmocka_unit_test(columns_are_the_users_in_his_order),
		cmocka_unit_test(every_name_is_a_column),
		cmocka_unit_test(a_host_has_its_processes),
		cmocka_unit_test(columns_without_room_can_be_reached),
		cmocka_unit_test(moving_ends_where_there_is_nothing_more),
		cmocka_unit_test(a_line_loses_its_beginning),
		cmocka_unit_test(what_was_filtered_is_searched_for),
		cmocka_unit_test(one_is_followed_until_it_ends),
		cmocka_unit_test(moving_lets_it_go),
		cmocka_unit_test(the_cursor_is_on_the_first_row_until_it_is_moved),
		cmocka_unit_test(what_the_group_says_is_not_repeated),
		cmocka_unit_test(the_processor_takes_no_room_from_the_memory),
		cmocka_unit_test(every_sign_has_a_likeness),
	};
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
