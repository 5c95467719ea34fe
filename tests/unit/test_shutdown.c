/* analyze/shutdown: the cases of tests/data/shutdown.txt; and the timeline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "model/shutdown.h"

#define SIGNALLED (INT64_C(1000) * USEC_PER_SEC)

struct scene {
	char name[512];
	struct shutdown_record record;
	int64_t now;
	struct shutdown_rules rules;
	bool open;
	struct shutdown_verdict verdict;
	bool judged;
	struct arena *arena;
};

static int64_t at(const char *ms)
{
	return SIGNALLED + atoll(ms) * USEC_PER_MSEC;
}

/* The value of "key=value", or NULL. */
static const char *value_of(const char *word, const char *key)
{
	size_t length = strlen(key);
	return strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static void begin(struct scene *scene, const char *name)
{
	*scene = (struct scene){ .open = true, .now = SIGNALLED, .arena = arena_new() };
	snprintf(scene->name, sizeof(scene->name), "%s", name);
	shutdown_record_init(&scene->record);
	scene->record.signal_number = SIGINT;
	scene->record.timeout = 10 * USEC_PER_SEC;
	scene->record.settle = 5 * USEC_PER_SEC;
	scene->record.signalled_at = SIGNALLED;
}

static void end(struct scene *scene)
{
	if (!scene->open)
		return;
	assert_true(scene->judged);
	shutdown_record_deinit(&scene->record);
	arena_free(scene->arena);
	scene->open = false;
}

static void read_process_word(struct shutdown_process *process, const char *word)
{
	const char *value;
	if ((value = value_of(word, "ended")))
		process->ended_at = at(value);
	else if ((value = value_of(word, "taken")))
		process->taken_at = at(value);
	else if ((value = value_of(word, "status")))
		process->status = atoi(value) << 8;
	else if ((value = value_of(word, "signal")))
		process->status = atoi(value);
	else if (strcmp(word, "ignores") == 0)
		process->disposition = DISPOSITION_IGNORES;
	else if (strcmp(word, "blocks") == 0)
		process->disposition = DISPOSITION_BLOCKS;
	else if (strcmp(word, "catches") == 0)
		process->disposition = DISPOSITION_CATCHES;
	else
		fail_msg("unknown word: %s", word);
	process->has_status |= value_of(word, "status") || value_of(word, "signal");
}

static void read_process(struct scene *scene, char *rest)
{
	bool command = scene->record.n_processes == 0;
	struct shutdown_process *process = shutdown_add_process(&scene->record);
	process->command = command;
	process->name = arena_strdup(scene->record.arena, strsep(&rest, " "));
	process->pid = atoi(strsep(&rest, " "));
	for (char *word; (word = strsep(&rest, " "));)
		read_process_word(process, word);
}

static const char *state_word(struct arena *arena, const char *value)
{
	char *state = arena_strdup(arena, value);
	for (char *c = state; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	return state;
}

static void read_connection_word(
	struct scene *scene, struct shutdown_connection *connection, const char *word)
{
	const char *value;
	if ((value = value_of(word, "owner")))
		connection->owner = atoi(value);
	else if ((value = value_of(word, "closed")))
		connection->closed_at = at(value);
	else if ((value = value_of(word, "ended")))
		connection->ended_at = at(value);
	else if ((value = value_of(word, "worked")))
		connection->worked_at = at(value);
	else if ((value = value_of(word, "opened")))
		connection->opened_at = at(value);
	else if ((value = value_of(word, "state")))
		connection->state = state_word(scene->record.arena, value);
	else if ((value = value_of(word, "age")))
		connection->state_age = atoll(value) * USEC_PER_MSEC;
	else if ((value = value_of(word, "site")))
		connection->site = arena_strdup(scene->record.arena, value);
	else if (strcmp(word, "rolled-back") == 0)
		connection->outcome = OUTCOME_ROLLED_BACK;
	else if (strcmp(word, "pool-unseen") == 0)
		connection->pool_unseen = true;
	else if (strcmp(word, "pooled") == 0)
		connection->link = LINK_POOLED;
	else if (strcmp(word, "lent") == 0)
		connection->link = LINK_LENT;
	else
		fail_msg("unknown word: %s", word);
	connection->after_signal |= value_of(word, "opened") != NULL;
}

static void read_connection(struct scene *scene, char *rest)
{
	struct shutdown_connection *connection = shutdown_add_connection(&scene->record);
	connection->backend = atoi(strsep(&rest, " "));
	connection->inode = (uint32_t)(700 + scene->record.n_connections);
	for (char *word; (word = strsep(&rest, " "));)
		read_connection_word(scene, connection, word);
}

static void read_phase(struct scene *scene, char *rest)
{
	struct shutdown_phase *phase = shutdown_add_phase(&scene->record);
	phase->pid = atoi(strsep(&rest, " "));
	phase->name = arena_strdup(scene->record.arena, strsep(&rest, " "));
	phase->began_at = at(strsep(&rest, " "));
	for (char *word; (word = strsep(&rest, " "));) {
		const char *value;
		if ((value = value_of(word, "writes")))
			phase->pending.first = atoi(value);
		else if ((value = value_of(word, "left")))
			phase->pending.last = atoi(value);
		else if ((value = value_of(word, "drained")))
			phase->pending.drained_at = at(value);
		else if ((value = value_of(word, "outbox")))
			phase->outbox.first = atoi(value);
		else if ((value = value_of(word, "outbox-left")))
			phase->outbox.last = atoi(value);
		else if ((value = value_of(word, "outbox-drained")))
			phase->outbox.drained_at = at(value);
	}
}

static void read_pool(struct scene *scene, char *rest)
{
	struct shutdown_pool *pool = shutdown_add_pool(&scene->record);
	pool->pid = atoi(strsep(&rest, " "));
	for (char *word; (word = strsep(&rest, " "));) {
		const char *value;
		if ((value = value_of(word, "pending")))
			pool->pending = atoi(value);
		else if ((value = value_of(word, "outbox")))
			pool->outbox = atoi(value);
		else
			fail_msg("unknown word: %s", word);
	}
}

static void read_hook(struct scene *scene, char *rest)
{
	struct shutdown_hook *hook = shutdown_add_hook(&scene->record);
	hook->pid = atoi(strsep(&rest, " "));
	snprintf(hook->name, sizeof(hook->name), "%s", strsep(&rest, " "));
	hook->phase = arena_strdup(scene->record.arena, strsep(&rest, " "));
	hook->state = arena_strdup(scene->record.arena, strsep(&rest, " "));
	hook->is_flush = strcmp(hook->phase, "flush") == 0;
	hook->has_failed = strcmp(hook->state, "failed") == 0;
	for (char *word; (word = strsep(&rest, " "));) {
		const char *value;
		if ((value = value_of(word, "result")))
			hook->result = atoi(value);
		else if ((value = value_of(word, "ended")))
			hook->ended_at = at(value);
		else if ((value = value_of(word, "ms")))
			hook->duration = atoi(value) * USEC_PER_MSEC;
	}
}

static void read_close(struct scene *scene, const char *word)
{
	scene->record.close_evidence = strcmp(word, "confirmed") == 0 ? CLOSE_CONFIRMED
		: strcmp(word, "abandoned") == 0                      ? CLOSE_ABANDONED
		: strcmp(word, "not-visible") == 0                    ? CLOSE_NOT_VISIBLE
								      : CLOSE_ABANDONED_PRESUMED;
}

/* "pass closed before=3 after=0 drained=402": the verdict in the same words. */
static void check_verdict(struct scene *scene, const char *expected)
{
	char found[200], drained[32] = "-";
	scene->verdict = shutdown_judge(&scene->record, &scene->rules, scene->now, scene->arena);
	scene->judged = true;
	const struct shutdown_verdict *verdict = &scene->verdict;
	const char *name = shutdown_behaviour_name(verdict->behaviour);
	if (verdict->drained >= 0)
		snprintf(drained, sizeof(drained), "%lld",
			(long long)(verdict->drained / USEC_PER_MSEC));
	snprintf(found, sizeof(found), "%s%s%s before=%d after=%d drained=%s",
		!name                   ? "undecided"
			: verdict->pass ? "pass"
					: "fail",
		name ? " " : "", name ? name : "", verdict->before, verdict->after, drained);
	if (strcmp(found, expected) != 0)
		fail_msg("%s: expected \"%s\", found \"%s\" (%s)", scene->name, expected, found,
			verdict->sentence);
}

static void check_sentence(const struct scene *scene, const char *expected)
{
	if (strcmp(scene->verdict.sentence, expected) != 0)
		fail_msg("%s: expected \"%s\", found \"%s\"", scene->name, expected,
			scene->verdict.sentence);
}

static void read_line(struct scene *scene, char *line)
{
	char *rest = line, *word = strsep(&rest, " ");
	if (strcmp(word, "process") == 0)
		read_process(scene, rest);
	else if (strcmp(word, "connection") == 0)
		read_connection(scene, rest);
	else if (strcmp(word, "phase") == 0)
		read_phase(scene, rest);
	else if (strcmp(word, "pool") == 0)
		read_pool(scene, rest);
	else if (strcmp(word, "hook") == 0)
		read_hook(scene, rest);
	else if (strcmp(word, "close") == 0)
		read_close(scene, rest);
	else if (strcmp(word, "now") == 0)
		scene->now = at(rest);
	else if (strcmp(word, "signal") == 0)
		scene->record.signal_number = atoi(rest);
	else if (strcmp(word, "blind") == 0)
		scene->record.blind = "the server hides the sessions";
	else if (strcmp(word, "stray") == 0)
		*shutdown_add_foreign(&scene->record) = (struct foreign_session){ .came = true,
			.doubtful = true,
			.lost_client = !rest,
			.looked_at = rest ? INSTANT_UNKNOWN : SIGNALLED };
	else if (strcmp(word, "unread") == 0)
		*shutdown_add_unread(&scene->record) =
			(struct unread_page){ .own = rest && strcmp(rest, "own") == 0,
				.read = rest && strcmp(rest, "read") == 0 };
	else if (strcmp(word, "pages-error") == 0)
		snprintf(scene->record.pages_error, sizeof(scene->record.pages_error), "%s", rest);
	else if (strcmp(word, "lent-unknown") == 0)
		scene->record.lent_unknown = true;
	else if (strcmp(word, "collecting") == 0)
		scene->record.collecting = true;
	else if (strcmp(word, "may-have-opened") == 0)
		scene->record.may_have_opened = true;
	else if (strcmp(word, "strict") == 0)
		scene->rules.strict = true;
	else if (strcmp(word, "expired") == 0)
		scene->record.expired = true;
	else if (strcmp(word, "expect") == 0)
		scene->rules.expected[scene->rules.n_expected++] =
			(struct shutdown_end){ false, atoi(rest) };
	else if (strcmp(word, "expect-signal") == 0)
		scene->rules.expected[scene->rules.n_expected++] =
			(struct shutdown_end){ true, atoi(rest) };
	else if (strcmp(word, "says") == 0)
		check_sentence(scene, rest);
	else
		fail_msg("%s: unknown line: %s", scene->name, word);
}

static bool is_verdict(const char *line)
{
	return strncmp(line, "pass ", 5) == 0 || strncmp(line, "fail ", 5) == 0 ||
		strncmp(line, "undecided ", 10) == 0;
}

static void judges_the_cases(void **state)
{
	(void)state;
	CLEANUP(cleanup_file) FILE *file = fopen("tests/data/shutdown.txt", "r");
	assert_non_null(file);
	struct scene scene = { .open = false };
	char line[512];
	int cases = 0;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (strncmp(line, "case ", 5) == 0) {
			end(&scene);
			begin(&scene, line + 5);
			cases++;
		} else if (is_verdict(line)) {
			check_verdict(&scene, line);
		} else {
			read_line(&scene, line);
		}
	}
	end(&scene);
	assert_true(cases > 20);
}

static void is_over_when_the_verdict_is(void **state)
{
	(void)state;
	struct scene scene;
	begin(&scene, "over");
	char process[] = "app 7 ended=30", connection[] = "9912 owner=7 closed=25";
	read_process(&scene, process);
	read_connection(&scene, connection);
	assert_false(shutdown_is_over(&scene.record, at("40")));
	assert_false(shutdown_is_over(&scene.record, at("5029")));
	assert_true(shutdown_is_over(&scene.record, at("5030")));
	scene.record.connections[0].ended_at = at("39");
	assert_true(shutdown_is_over(&scene.record, at("40")));
	scene.record.signalled_at = INSTANT_UNKNOWN;
	assert_false(shutdown_is_over(&scene.record, at("9999999")));
	scene.judged = true;
	end(&scene);
}

/* A shutdown that shows late began when its first connection closed. */
static void a_shutdown_began_when_its_first_connection_closed(void **state)
{
	(void)state;
	static const struct {
		const char *closed, *ended, *began; /* ms */
	} cases[] = {
		{ "60", "62", "60" },
		{ "64", "62", "62" },
		{ "90", NULL, "90" },
		/* not closed yet, as far as was seen */
		{ NULL, "62", "62" },
		/* the server ended it, and the application closed it only at its end, or never */
		{ "1100", "62", "1100" },
		{ NULL, "-5000", "2000" },
		{ NULL, NULL, "2000" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shutdown_record record;
		shutdown_record_init(&record);
		struct shutdown_connection *connection = shutdown_add_connection(&record);
		connection->backend = 9;
		connection->opened_at = at("-9000");
		if (cases[i].closed)
			connection->closed_at = at(cases[i].closed);
		if (cases[i].ended)
			connection->ended_at = at(cases[i].ended);
		bool late = !cases[i].closed && cases[i].ended && *cases[i].ended != '-';
		int64_t before = late ? at("500") : at("2000");
		assert_true(shutdown_first_closing(&record, INSTANT_UNKNOWN, before) ==
			at(cases[i].began));
		shutdown_record_deinit(&record);
	}
}

static void the_timeline_is_in_order_and_counts_down(void **state)
{
	(void)state;
	static const char *const expected[] = {
		"0 signal SIGINT sent 3",
		"1 signal_taken python3 4312 took SIGINT 3",
		"3 phase phase: stop lending, 38 ms 3",
		"30 hook hook outbox (flush): failed with result 5 after 15 ms 3",
		"31 hook hook report (flush): over its deadline after 16 ms 3",
		("41 phase phase: flush, 371 ms · 12 pending writes → 0 in 38 ms"
		 " · 9 writes in the outbox → 2 3"),
		"50 opened 9915 opened 4",
		"180 closed 9913 closed 3",
		"395 closed 9914 closed 2",
		"400 closed 9915 closed 1",
		"402 closed 9912 closed 0",
		"402 rolled_back 9912: its open write was rolled back 0",
		"402 server_clean nothing left on the server 0",
		"412 process_ended python3 4312 ended, status 130 0",
	};
	struct scene scene;
	begin(&scene, "timeline");
	char process[] = "python3 4312 taken=1 ended=412 status=130",
	     c1[] = "9912 owner=4312 closed=400 ended=402 rolled-back",
	     c2[] = "9913 owner=4312 closed=178 ended=180",
	     c3[] = "9914 owner=4312 closed=390 ended=395",
	     c4[] = "9915 owner=4312 opened=50 closed=390 ended=400",
	     c5[] = "9911 owner=4312 closed=-20 ended=-10", p1[] = "4312 stop_lending 3 writes=0",
	     p2[] = "4312 flush 41 writes=12 left=0 drained=79 outbox=9 outbox-left=2";
	read_process(&scene, process);
	read_connection(&scene, c1);
	read_connection(&scene, c2);
	read_connection(&scene, c3);
	read_connection(&scene, c4);
	read_connection(&scene, c5);
	read_phase(&scene, p1);
	scene.record.phases[0].name = "stop lending";
	char hook[] = "4312 outbox flush failed result=5 ended=30 ms=15";
	read_hook(&scene, hook);
	char late[] = "4312 report flush late ended=31 ms=16";
	read_hook(&scene, late);
	read_phase(&scene, p2);
	struct shutdown_verdict verdict =
		shutdown_judge(&scene.record, &scene.rules, at("420"), scene.arena);
	assert_int_equal(verdict.n_events, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < verdict.n_events; i++) {
		const struct shutdown_event *event = &verdict.timeline[i];
		char line[256];
		snprintf(line, sizeof(line), "%lld %s %s %d",
			(long long)(event->at / USEC_PER_MSEC), shutdown_event_name(event->kind),
			event->text, event->connections);
		assert_string_equal(line, expected[i]);
	}
	scene.judged = true;
	end(&scene);
}

static void reads_signals_by_name_and_number(void **state)
{
	(void)state;
	assert_int_equal(shutdown_signal_parse("INT"), SIGINT);
	assert_int_equal(shutdown_signal_parse("sigterm"), SIGTERM);
	assert_int_equal(shutdown_signal_parse("15"), SIGTERM);
	assert_int_equal(shutdown_signal_parse("0"), 0);
	assert_int_equal(shutdown_signal_parse("99999"), 0);
	assert_int_equal(shutdown_signal_parse(""), 0);
	assert_int_equal(shutdown_signal_parse("SIG"), 0);
	assert_int_equal(shutdown_signal_parse("2x"), 0);
	assert_string_equal(shutdown_signal_name(SIGKILL), "KILL");
	assert_string_equal(shutdown_signal_name(63), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_the_cases),
		cmocka_unit_test(is_over_when_the_verdict_is),
		cmocka_unit_test(a_shutdown_began_when_its_first_connection_closed),
		cmocka_unit_test(the_timeline_is_in_order_and_counts_down),
		cmocka_unit_test(reads_signals_by_name_and_number),
	};
	return cmocka_run_group_tests_name("shutdown", tests, NULL, NULL);
}
