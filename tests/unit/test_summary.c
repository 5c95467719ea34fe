/* report/summary: the output of --once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/proxy.h"
#include "report/summary.h"
#include "report/summary_servers.h"
#include "sample.h"

static const struct summary_options utf8 = { .style = { .utf8 = true, .width = 80 } };
static const struct summary_options ascii = { .style = { .utf8 = false, .width = 80 } };

static char *print(const struct assessment *assessment, const struct summary_options *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(summary_print(assessment, options, file), 0);
	fclose(file);
	return text;
}

static char *print_sample(enum sample_kind kind, const struct summary_options *options)
{
	struct assessment *assessment = sample_assessment(kind);
	char *text = print(assessment, options);
	assessment_free(assessment);
	return text;
}

static const char *find(const char *text, const char *words)
{
	const char *found = strstr(text, words);
	if (!found)
		fail_msg("no \"%s\" in:\n%s", words, text);
	return found;
}

static void the_eye_meets_things_in_their_order(void **state)
{
	(void)state;
	static const char *const order[] = {
		"app @ 127.0.0.1:5432   PostgreSQL 15.20   up 3d04h\n",
		"slots    18 of 25 used   4 free   3 reserved   ███████████████▓▓▓▓▓░░░░▒▒▒▒\n",
		"active 3   idle 7   in transaction 2   leaked 4   not visible 2\n",
		"\npython3 worker.py  pid 3999, ended 31m00s ago: 2 connections, 2 leaked\n",
		"!    9801  LEAKED          31m10s  worker            127.0.0.1:50110\n",
		"           client gone, proven: COPY events FROM STDIN\n",
		"!    9802  LEAKED",
		"\npython3 main.py  pid 4312, app, app.service: 3 connections, 1 leaked\n",
		"!    9912  LEAKED",
		"held too long, declared, held 7m12s at sync.c:212: UPDATE outbox SET…\n",
		"     9914  idle",
		"in its pool's reserve: COMMIT\n",
		"     9913  active",
		"\njava -jar reports.jar --nightly",
		"!    9770  LEAKED?  ",
		"\nnode server.js  pid 6001, app, web.service: 5 connections\n",
		"\nno process is visible from here at the other end\n",
		"     9971  idle             3h20m  jobs              10.0.0.7:40102\n",
		"waits for notifications: LISTEN jobs\n",
		("\n2 connections not visible to this role; to see them: GRANT pg_monitor TO "
		 "dbtop;\n"),
		"\n4 leaked; what would be ended: dbtop --kill-leaked --dry-run\n",
	};
	CLEANUP(cleanup_free) char *text = print_sample(SAMPLE_SCREEN, &utf8);
	const char *rest = text;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		rest = find(rest, order[i]);
}

/* Where nobody answers since the proxy is not there, its command is what comes next. */
static void the_next_step_is_the_proxys_command(void **state)
{
	(void)state;
	static const struct summary_options with_command = { .style = { .utf8 = true, .width = 80 },
		.proxy_start = "cloud-sql-proxy --port 5432 a:b:c" };
	struct assessment *assessment = sample_assessment(SAMPLE_REFUSED);
	struct proxy absent = { .status = PROXY_ABSENT };
	CLEANUP(cleanup_free) char *without = print(assessment, &with_command);
	assert_null(strstr(without, "start the proxy"));
	assessment->proxy = &absent;
	CLEANUP(cleanup_free) char *with = print(assessment, &with_command);
	find(with, "start the proxy: cloud-sql-proxy --port 5432 a:b:c\n");
	assert_null(strstr(with, "try -h"));
	CLEANUP(cleanup_free) char *no_command = print(assessment, &utf8);
	assert_null(strstr(no_command, "start the proxy"));
	assessment->proxy = NULL;
	assessment_free(assessment);
}

/* Two programs of one interpreter differ in the names of their scripts, which are kept. */
static void long_commands_lose_their_folders(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < assessment->n_processes; i++)
		if (assessment->processes[i].process.pid == 4312)
			assessment->processes[i].process.command =
				"/opt/a/very/long/folder/of/an/interpreter/bin/python3 "
				"/srv/applications/in/another/long/folder/main.py --serve";
	CLEANUP(cleanup_free) char *text = print(assessment, &utf8);
	find(text, "\npython3 main.py --serve  pid 4312");
	assessment_free(assessment);
}

/* Except for the server's own sentences, which may be longer. */
static void lines_fit_into_80_columns(void **state)
{
	(void)state;
	static const enum sample_kind kinds[] = { SAMPLE_SCREEN, SAMPLE_EMPTY, SAMPLE_CONNECTING };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CLEANUP(cleanup_free) char *text = print_sample(kinds[i], &utf8);
		char *rest = text;
		for (char *line; (line = strsep(&rest, "\n"));)
			assert_in_range(text_width(line), 0, 80);
	}
}

static void plain_ascii_is_nothing_else(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < SAMPLE_COUNT; kind++) {
		CLEANUP(cleanup_free) char *text = print_sample((enum sample_kind)kind, &ascii);
		for (const char *c = text; *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	}
	CLEANUP(cleanup_free) char *text = print_sample(SAMPLE_SCREEN, &ascii);
	find(text, "###############LLLLL....xxxx\n");
	find(text, "UPDATE outbox S...\n");
}

/* A client's name cannot make a line or a title. */
static void hostile_strings_stay_in_their_cells(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *screen = print_sample(SAMPLE_SCREEN, &utf8);
	CLEANUP(cleanup_free) char *hostile = print_sample(SAMPLE_HOSTILE, &utf8);
	size_t leaked = 0, lines[2] = { 0 };
	for (const char *c = screen; *c; c++)
		lines[0] += *c == '\n';
	for (const char *c = hostile; *c; c++) {
		lines[1] += *c == '\n';
		assert_true(*c == '\n' || (unsigned char)*c >= ' ');
		leaked += strncmp(c, "\n! ", 3) == 0;
	}
	assert_int_equal(leaked, 4);
	/* The service's session has a statement now, which adds one line at most; an empty
	 * statement has none. Three lines are about logins. */
	assert_in_range(lines[1], lines[0] + 2, lines[0] + 4);
	find(hostile, "\nlogins   20 connections not logged in: ");
	find(hostile, "\n         3 connections not logged in: from 10.0.0.9\n");
	find(hostile, "\n         1 connection not logged in: by which process cannot be seen");
}

static void trouble_is_a_sentence_and_what_to_do_next(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *full = print_sample(SAMPLE_FULL, &utf8);
	find(full, "full     FATAL: remaining connection slots are reserved");
	find(full, "\nnext     every slot is taken; E (--emergency) stops the application");
	find(full, "slots    not known");
	find(full, "\nnode server.js  pid 6001, app, web.service: 5 connections\n");
	assert_null(strstr(full, "worker.py"));

	CLEANUP(cleanup_free) char *refused = print_sample(SAMPLE_REFUSED, &utf8);
	find(refused, "refused  connection to server");
	find(refused, "next     is PostgreSQL running there?");

	CLEANUP(cleanup_free) char *stale = print_sample(SAMPLE_STALE, &utf8);
	find(stale, "full     data 14s old: FATAL");
	find(stale, "9912  LEAKED");

	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	assessment->sources[SOURCE_PEERS].status = SOURCE_FAILED;
	assessment->sources[SOURCE_PEERS].error = "the sockets cannot be read";
	CLEANUP(cleanup_free) char *blind = print(assessment, &utf8);
	find(blind, "\npeers    the sockets cannot be read\n");
	assessment_free(assessment);
}

static void a_quiet_server_is_quiet(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = print_sample(SAMPLE_EMPTY, &utf8);
	assert_null(strstr(text, "--kill-leaked"));
	assert_null(strstr(text, "GRANT"));
	find(text, "1 of 100 used   96 free   3 reserved");
	find(text, "dbtop  pid 7100, alice: 1 connection\n");
}

static void a_pooler_is_named_and_no_end_is_offered(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	assessment->server.pooler = true;
	CLEANUP(cleanup_free) char *text = print(assessment, &utf8);
	find(text, "up 3d04h\npooler   through a pooler: connect to PostgreSQL itself\n");
	find(text,
		"\n4 leaked; nothing can be ended through a pooler: connect to PostgreSQL "
		"itself\n");
	assert_null(strstr(text, "--kill-leaked"));
	assessment_free(assessment);
}

static void no_query_text_leaves_none(void **state)
{
	(void)state;
	struct summary_options silent = utf8;
	silent.no_query_text = true;
	CLEANUP(cleanup_free) char *text = print_sample(SAMPLE_SCREEN, &silent);
	static const char *const words[] = { "SELECT", "UPDATE", "COPY", "COMMIT", "LISTEN" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_null(strstr(text, words[i]));
	find(text, "held too long, declared, held 7m12s at sync.c:212\n");
}

static void a_long_label_is_whole(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct source_state *source = &assessment->sources[SOURCE_PEERS];
	*source = (struct source_state){
		.name = "pgbouncer 127.0.0.1:6432", .status = SOURCE_FAILED, .error = "no answer"
	};
	assessment->server.status = SERVER_DATABASE_LIMIT;
	CLEANUP(cleanup_free) char *text = print(assessment, &utf8);
	find(text, "\npgbouncer 127.0.0.1:6432  no answer\n");
	find(text, "\ndatabase limit  ");
	assessment_free(assessment);
}

static void a_role_is_quoted_as_sql_wants_it(void **state)
{
	(void)state;
	static const struct {
		const char *role, *grant;
	} cases[] = {
		{ "app_2", "TO app_2;" },
		{ "My Role", "TO \"My Role\";" },
		{ "2nd", "TO \"2nd\";" },
		{ "a\"; DROP", "TO \"a\"\"; DROP\";" },
		{ "größe", "TO \"größe\";" },
		{ "", "TO \"\";" },
	};
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assessment->server.user = cases[i].role;
		CLEANUP(cleanup_free) char *text = print(assessment, &utf8);
		find(text, cases[i].grant);
	}
	assessment_free(assessment);
}

/* Two programs of one interpreter, far down in their folders. */
static void a_long_command_keeps_its_script(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	assessment->processes[0].process.command =
		"/srv/applications/venv/bin/python3 /srv/applications/production/current/scan.py "
		"-v";
	CLEANUP(cleanup_free) char *text = print(assessment, &utf8);
	find(text, "\npython3 scan.py -v  pid 4312");
	assessment_free(assessment);
}

static void any_width_will_do(void **state)
{
	(void)state;
	for (int width = 1; width < 300; width += 7) {
		struct summary_options options = { .style = { .utf8 = width % 2, .width = width } };
		CLEANUP(cleanup_free) char *text = print_sample(SAMPLE_HOSTILE, &options);
		find(text, "9912  LEAKED");
	}
}

static void pools_and_starving_clients_are_reported(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = print_sample(SAMPLE_SCREEN, &utf8);
	find(text,
		"pools    app 4312          2 of 3 used, 1 errors, longest hold 7m12s "
		"sync.c:212\n");
	find(text, "app/app           3 of 20 used, 2 waiting 0.4s, 12 clients, transaction\n");
	find(text, "/tmp/dbpool-1000/old-77.page: it is damaged, or no stats page\n");
	find(text, "waits: node server.js 6001, 2 clients, for 0.4s\n");
	CLEANUP(cleanup_free) char *outbox = print_sample(SAMPLE_OUTBOX, &utf8);
	find(outbox, "1 errors, outbox: 12 waiting (oldest 3m12s), 2 rejected, longest hold 7m12s");
}

/* They run here; where they are not known to be here, the sentence sends to their machine. */
static void sessions_of_another_user_are_called_so(void **state)
{
	(void)state;
	char text[FINDINGS_TEXT_MAX];
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		assessment->connections[i].process = assessment->connections[i].owner = NO_PROCESS;
		assessment->connections[i].end = CLIENT_END_NOT_VISIBLE;
	}
	find(findings_describe_unreached(assessment, text),
		"sessions belong to processes of another user, which dbtop may not see: run it as "
		"that user or as root");
	for (size_t i = 0; i < assessment->n_connections; i++)
		assessment->connections[i].end = CLIENT_END_ELSEWHERE;
	find(findings_describe_unreached(assessment, text),
		"sessions belong to processes that cannot be seen from here: run dbtop where they "
		"run");
	assessment_free(assessment);
}

/* Without rows of the server. */
static void a_page_of_perhaps_another_server_says_where_it_leads(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	assessment->pages->items[0].status = POOL_PAGE_DEAD;
	assessment->pools[0].unsure = true;
	assessment->pools[0].connections = 0;
	CLEANUP(cleanup_free) char *text = print(assessment, &utf8);
	find(text, "app 4312          leads to 127.0.0.1:5432/app: process 4312 has ended\n");
	assessment_free(assessment);
}

/* Settings of the server that invite leaks, each with the statement that changes it. */
static void settings_that_invite_leaks_are_named(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct server_facts *facts = (struct server_facts *)&assessment->activity->server;
	CLEANUP(cleanup_free) char *none = print(assessment, &utf8);
	assert_null(strstr(none, "ALTER"));
	facts->no_idle_in_transaction = facts->no_idle_session = true;
	CLEANUP(cleanup_free) char *two = print(assessment, &utf8);
	(void)find(two,
		"\nidle_in_transaction_session_timeout is 0: a forgotten transaction stays open: "
		"ALTER SYSTEM SET idle_in_transaction_session_timeout = '10min'; "
		"SELECT pg_reload_conf();\n");
	(void)find(two, "ALTER SYSTEM SET idle_session_timeout = '12h'; SELECT");
	assert_null(strstr(two, "client_connection_check_interval"));
	/* what the backend of a pooler says is not the server's own setting */
	assessment->server.pooler = true;
	CLEANUP(cleanup_free) char *pooled = print(assessment, &utf8);
	assert_null(strstr(pooled, "ALTER"));
	assessment_free(assessment);
}

static void several_servers_are_told_apart_and_summed_up(void **state)
{
	(void)state;
	static const struct summary_result results[] = { { "shop", 0 }, { "old", 3 }, { "web", 1 },
		{ "app @ db:5432", 1 }, { "blog", 0 } };
	static const struct {
		size_t from, count;
		const char *text;
	} cases[] = {
		{ 0, 5,
			"\n5 servers: 2 with findings: web, app @ db:5432; 1 cannot tell: old; "
			"2 clean\n" },
		{ 1, 2, "\n2 servers: 1 with findings: web; 1 cannot tell: old\n" },
	};
	char *text = NULL;
	size_t size = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *file = open_memstream(&text, &size);
		assert_int_equal(summary_print_total(results + cases[i].from, cases[i].count,
					 &utf8.style, file),
			0);
		fclose(file);
		assert_string_equal(text, cases[i].text);
		free(text);
	}
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	FILE *file = open_memstream(&text, &size);
	summary_print_heading(assessment, &utf8.style, false, file);
	assessment->server.name = "shop";
	summary_print_heading(assessment, &utf8.style, true, file);
	fclose(file);
	assert_string_equal(text, "== app @ 127.0.0.1:5432 ==\n\n== shop ==\n");
	free(text);
	assessment_free(assessment);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_eye_meets_things_in_their_order),
		cmocka_unit_test(pools_and_starving_clients_are_reported),
		cmocka_unit_test(sessions_of_another_user_are_called_so),
		cmocka_unit_test(a_page_of_perhaps_another_server_says_where_it_leads),
		cmocka_unit_test(the_next_step_is_the_proxys_command),
		cmocka_unit_test(long_commands_lose_their_folders),
		cmocka_unit_test(lines_fit_into_80_columns),
		cmocka_unit_test(plain_ascii_is_nothing_else),
		cmocka_unit_test(hostile_strings_stay_in_their_cells),
		cmocka_unit_test(trouble_is_a_sentence_and_what_to_do_next),
		cmocka_unit_test(a_quiet_server_is_quiet),
		cmocka_unit_test(a_pooler_is_named_and_no_end_is_offered),
		cmocka_unit_test(no_query_text_leaves_none),
		cmocka_unit_test(a_long_label_is_whole),
		cmocka_unit_test(a_role_is_quoted_as_sql_wants_it),
		cmocka_unit_test(a_long_command_keeps_its_script),
		cmocka_unit_test(any_width_will_do),
		cmocka_unit_test(several_servers_are_told_apart_and_summed_up),
		cmocka_unit_test(settings_that_invite_leaks_are_named),
	};
	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
