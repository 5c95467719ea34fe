/* action/audit: what is written, where, and what happens when it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "action/audit.h"
#include "action/plan.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "sample.h"

struct fixture {
	char folder[64];
	char *path;
	struct action *plan;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_alloc(sizeof(*fixture));
	strcpy(fixture->folder, "/tmp/dbtop-audit-XXXXXX");
	if (!mkdtemp(fixture->folder))
		return -1;
	fixture->path = mem_printf("%s/state/dbtop/actions.jsonl", fixture->folder);
	struct assessment *assessment = sample_assessment(SAMPLE_HOSTILE);
	fixture->plan = plan_kill_leaked(assessment, CERTAINTY_PRESUMED);
	assessment_free(assessment);
	*state = fixture;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	nftw(fixture->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	action_free(fixture->plan);
	free(fixture->path);
	free(fixture);
	return 0;
}

/* The file's n-th line as JSON; fails when there is none. */
static json_t *read_line(const char *path, size_t n)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "r");
	assert_non_null(file);
	CLEANUP(cleanup_free) char *line = NULL;
	size_t size = 0;
	for (size_t i = 0; i <= n; i++)
		assert_true(getline(&line, &size, file) > 0);
	return json_loads(line, JSON_REJECT_DUPLICATES, NULL);
}

static size_t count_lines(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "r");
	size_t count = 0;
	for (int c; file && (c = fgetc(file)) != EOF;)
		count += c == '\n';
	return count;
}

static const char *text(json_t *object, const char *outer, const char *inner)
{
	return json_string_value(json_object_get(json_object_get(object, outer), inner));
}

static void each_line_has_time_user_action_and_result(void **state)
{
	struct fixture *fixture = *state;
	struct action_step *step = &fixture->plan->steps[2];
	step->result = RESULT_DENIED;
	step->detail = "GRANT pg_signal_backend TO \"dbtop\";";
	step->session.seen_at = SAMPLE_NOW;
	step->session.seen_state = "active";
	struct audit *audit = audit_new(fixture->path);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	audit_step(audit, fixture->plan, step, SAMPLE_NOW + 1);
	assert_null(audit_error(audit));
	audit_free(audit);
	assert_int_equal(count_lines(fixture->path), 2);

	json_t *action = read_line(fixture->path, 0);
	assert_string_equal(
		json_string_value(json_object_get(action, "at")), "2026-01-31T12:03:44.000000Z");
	assert_string_equal(json_string_value(json_object_get(action, "event")), "action");
	assert_string_equal(json_string_value(json_object_get(action, "action")), "kill_leaked");
	assert_int_equal(json_integer_value(json_object_get(action, "targets")), 4);
	assert_string_equal(text(action, "who", "role"), "dbtop");
	json_t *who = json_object_get(action, "who");
	assert_int_equal(json_integer_value(json_object_get(who, "pid")), getpid());
	assert_int_equal(json_integer_value(json_object_get(who, "uid")), getuid());
	json_decref(action);

	json_t *result = read_line(fixture->path, 1);
	assert_string_equal(json_string_value(json_object_get(result, "result")), "denied");
	assert_string_equal(json_string_value(json_object_get(result, "detail")), step->detail);
	assert_string_equal(text(result, "planned", "state"), "idle in transaction");
	assert_string_equal(text(result, "planned", "reason"), "held_too_long");
	assert_string_equal(text(result, "planned", "certainty"), "declared");
	assert_string_equal(text(result, "seen", "state"), "active");
	assert_string_equal(text(result, "seen", "at"), "2026-01-31T12:03:44.000000Z");
	assert_string_equal(
		text(result, "session", "application_name"), step->session.application_name);
	json_t *session = json_object_get(result, "session");
	assert_int_equal(json_integer_value(json_object_get(session, "pid")), 9912);
	assert_true(json_is_null(json_object_get(json_object_get(result, "seen"), "state_change")));
	json_decref(result);
}

/* Anybody may set the variable; it says something only where sudo has made us root. */
static void under_sudo_it_names_the_person(void **state)
{
	struct fixture *fixture = *state;
	setenv("SUDO_USER", "ali\033ce", 1);
	struct audit *audit = audit_new(fixture->path);
	unsetenv("SUDO_USER");
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	audit_free(audit);
	json_t *action = read_line(fixture->path, 0);
	const char *sudo_user = text(action, "who", "sudo_user");
	if (getuid() == 0)
		assert_string_equal(sudo_user, "ali␛ce");
	else
		assert_null(sudo_user);
	json_decref(action);
}

static void only_we_can_read_it(void **state)
{
	struct fixture *fixture = *state;
	mode_t mask = umask(0);
	struct audit *audit = audit_new(fixture->path);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	audit_free(audit);
	umask(mask);
	struct stat st;
	assert_int_equal(stat(fixture->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	*strrchr(fixture->path, '/') = '\0';
	assert_int_equal(stat(fixture->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void a_full_log_is_moved_aside(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(cleanup_free) char *aside = mem_printf("%s.1", fixture->path);
	struct audit *audit = audit_new(fixture->path);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	assert_int_equal(truncate(fixture->path, AUDIT_SIZE_MAX - 1), 0);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	assert_int_equal(access(aside, F_OK), -1);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	assert_int_equal(count_lines(fixture->path), 1);
	struct stat st;
	assert_int_equal(stat(aside, &st), 0);
	assert_true(st.st_size > AUDIT_SIZE_MAX);
	audit_free(audit);
}

static void a_line_cut_short_does_not_spoil_the_next(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = audit_new(fixture->path);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	assert_int_equal(truncate(fixture->path, 20), 0);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), 0);
	audit_free(audit);
	assert_int_equal(count_lines(fixture->path), 2);
	json_t *second = read_line(fixture->path, 1);
	assert_non_null(second);
	json_decref(second);
}

static void assert_fails(struct fixture *fixture, const char *path, const char *words)
{
	struct audit *audit = audit_new(path);
	assert_int_equal(audit_begin(audit, fixture->plan, SAMPLE_NOW), -EIO);
	assert_non_null(audit_error(audit));
	assert_non_null(strstr(audit_error(audit), words));
	audit_free(audit);
}

static void what_stands_in_the_way_is_reported(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(cleanup_free) char *link = mem_printf("%s/link", fixture->folder);
	CLEANUP(cleanup_free) char *fifo = mem_printf("%s/fifo", fixture->folder);
	CLEANUP(cleanup_free) char *victim = mem_printf("%s/victim", fixture->folder);
	CLEANUP(cleanup_free) char *under = mem_printf("%s/fifo/x/y", fixture->folder);
	assert_int_equal(symlink(victim, link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_fails(fixture, link, "Too many levels of symbolic links");
	assert_int_equal(access(victim, F_OK), -1);
	assert_fails(fixture, fifo, "Not a regular file");
	assert_fails(fixture, under, "Not a directory");
	assert_fails(fixture, "/dev/full", "Not a regular file");
	assert_fails(fixture, "/proc/nowhere/actions.jsonl", "cannot be written");
	assert_fails(fixture, NULL, "neither XDG_STATE_HOME nor HOME");
}

static void the_default_path_follows_xdg(void **state)
{
	(void)state;
	static const struct {
		const char *state, *home, *path;
	} cases[] = {
		{ "/s", "/h", "/s/dbtop/actions.jsonl" },
		{ NULL, "/h", "/h/.local/state/dbtop/actions.jsonl" },
		{ "", "/h", "/h/.local/state/dbtop/actions.jsonl" },
		{ "relative", "/h", "/h/.local/state/dbtop/actions.jsonl" },
		{ NULL, "", NULL },
		{ NULL, NULL, NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsetenv("XDG_STATE_HOME");
		unsetenv("HOME");
		if (cases[i].state)
			setenv("XDG_STATE_HOME", cases[i].state, 1);
		if (cases[i].home)
			setenv("HOME", cases[i].home, 1);
		CLEANUP(cleanup_free) char *path = audit_default_path();
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
		else
			assert_null(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_line_has_time_user_action_and_result, set_up, tear_down),
		cmocka_unit_test_setup_teardown(under_sudo_it_names_the_person, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_we_can_read_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_log_is_moved_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_line_cut_short_does_not_spoil_the_next, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_stands_in_the_way_is_reported, set_up, tear_down),
		cmocka_unit_test(the_default_path_follows_xdg),
	};
	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
