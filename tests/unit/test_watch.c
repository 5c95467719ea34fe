/* app/watch: what an armed watch keeps of an application that goes on for days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/shutdown.h"
#include "proc/procfs.h"
#include "watch/record_sessions.h"
#include "watch/watch.h"
#include "watched.h"

#define SOCKETS   50
#define PROCESSES 5

/* A day of assessments, one a second, would be 86,400. */
#define ROUNDS 20000

/* Bytes of strings; live are some 8 KiB. */
#define MOST_STRINGS (256 * 1024)

static int set_up(void **state)
{
	struct watched *watched = mem_alloc(sizeof(*watched));
	watched_init(watched, SOCKETS, PROCESSES);
	*state = watched;
	return 0;
}

static int tear_down(void **state)
{
	watched_deinit(*state);
	free(*state);
	return 0;
}

static size_t strings(const struct watched *watched)
{
	return arena_used(watch_record(watched->watch)->arena);
}

/* Everything that is text changes all the time. */
static void change(struct watched *watched, int round, char state[static 64], char site[static 64])
{
	snprintf(state, 64, "%s %d", round % 2 ? "idle" : "active", round % 1000);
	snprintf(site, 64, "application/module_%d.c:%d", round % 100, round);
	watched->slot.site = site;
	for (size_t i = 0; i < SOCKETS; i++)
		((struct backend *)watched->assessment->connections[i].backend)->state_text = state;
	for (size_t i = 0; i < PROCESSES; i++)
		snprintf(watched->sample.processes[i].name,
			sizeof(watched->sample.processes[i].name), "worker %d", round % 5000);
}

static void an_armed_watch_does_not_grow(void **state)
{
	struct watched *watched = *state;
	char state_text[64], site[64];
	for (int round = 0; round < ROUNDS; round++) {
		change(watched, round, state_text, site);
		watched_sample(watched);
		watched_assess(watched);
		assert_true(strings(watched) < MOST_STRINGS);
	}
	const struct shutdown_record *record = watch_record(watched->watch);
	assert_int_equal(record->n_connections, SOCKETS);
	assert_int_equal(record->n_processes, PROCESSES);
	assert_string_equal(record->connections[SOCKETS - 1].site, site);
	assert_string_equal(record->connections[SOCKETS - 1].state, state_text);
	assert_string_equal(record->processes[0].name, "worker 4999");
}

/* What says the same as before costs nothing at all. */
static void what_did_not_change_is_not_copied_again(void **state)
{
	struct watched *watched = *state;
	char state_text[64], site[64];
	change(watched, 1, state_text, site);
	watched_sample(watched);
	watched_assess(watched);
	size_t before = strings(watched);
	for (int round = 0; round < 100; round++) {
		watched_sample(watched);
		watched_assess(watched);
	}
	assert_int_equal(strings(watched), before);
}

/* Sockets that come and go, as those of an application without a pool: no room is kept for them,
 * nor are they mixed up. */
static void connections_come_and_go(void **state)
{
	struct watched *watched = *state;
	watched_sample(watched);
	watched_assess(watched);
	assert_int_equal(watch_count(watched->watch), SOCKETS);
	for (uint32_t round = 1; round <= 1000; round++) {
		for (size_t i = 0; i < SOCKETS; i++)
			watched->sample.sockets[i].inode = 1000 + round * SOCKETS + (uint32_t)i;
		watched_sample(watched);
		/* these have no session: they were closed before it was seen */
		assert_int_equal(watch_record(watched->watch)->n_sockets, 2 * SOCKETS);
	}
	const struct shutdown_record *record = watch_record(watched->watch);
	assert_int_equal(record->n_connections, SOCKETS);
	for (size_t i = 0; i < SOCKETS; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		assert_true(connection->closed_at != INSTANT_UNKNOWN);
		assert_int_equal(connection->inode, 1000 + i);
	}
}

/* k has ended a session, and the application still holds its socket: that is no connection whose
 * session the server hides. */
static void a_session_that_was_ended_is_known_as_ended(void **state)
{
	struct watched *watched = *state;
	struct shutdown_record *record = watch_record(watched->watch);
	watched_sample(watched);
	watched_assess(watched);
	for (size_t i = 0; i < record->n_connections; i++)
		record->connections[i].ended_at = record->armed_at - record->timeout - 1;
	watched->assessment->n_connections = 0;
	watched_sample(watched);
	assert_int_equal(record->n_connections, 0);
	for (size_t i = 0; i < SOCKETS; i++)
		watched->sample.sockets[i].first_seen -= 60 * USEC_PER_SEC;
	watched_sample(watched);
	watched_assess(watched);
	assert_null(record->blind);
	assert_int_equal(record->n_sockets, SOCKETS);
	/* they are forgotten when they are closed */
	watched->sample.n_sockets = 0;
	watched_sample(watched);
	assert_int_equal(record->n_sockets, 0);
}

/* The same for a watch that is armed after that. */
static void a_socket_that_the_server_closed_needs_no_session(void **state)
{
	struct watched *watched = *state;
	const struct shutdown_record *record = watch_record(watched->watch);
	for (size_t i = 0; i < SOCKETS; i++) {
		watched->sample.sockets[i].ended = true;
		watched->sample.sockets[i].first_seen -= 60 * USEC_PER_SEC;
	}
	watched->assessment->n_connections = 0;
	watched_sample(watched);
	watched_assess(watched);
	assert_null(record->blind);
	assert_int_equal(watch_count(watched->watch), 0);
}

/* A signal that is pending for the watched process. */
static void set_pending(struct watched *watched, int number, bool caught)
{
	uint64_t bit = UINT64_C(1) << (number - 1);
	watched->sample.processes[0].signals.pending = bit;
	watched->sample.processes[0].signals.caught = caught ? bit : 0;
}

/* Python closes its connections at SIGINT, and sends itself the signal again to die by it. */
static void connections_closed_before_the_death_by_the_signal_count(void **state)
{
	struct watched *watched = *state;
	watched_sample(watched);
	watched_assess(watched);
	watched->sample.n_sockets = 0;
	watched_sample(watched);
	int64_t closed_at = watched->sample.taken_at;
	set_pending(watched, SIGINT, false);
	watched_sample(watched);
	const struct shutdown_record *record = watch_record(watched->watch);
	assert_int_equal(record->signal_number, SIGINT);
	assert_int_equal(record->n_connections, SOCKETS);
	assert_true(record->signalled_at == closed_at);
}

/* A process that will handle the signal has not done anything for it yet. */
static void a_pending_signal_that_is_caught_begins_the_shutdown(void **state)
{
	struct watched *watched = *state;
	watched_sample(watched);
	watched_assess(watched);
	watched->sample.n_sockets = 0;
	watched_sample(watched);
	set_pending(watched, SIGTERM, true);
	watched_sample(watched);
	const struct shutdown_record *record = watch_record(watched->watch);
	assert_string_equal(record->trigger, "SIGTERM seen");
	assert_true(record->signalled_at == watched->sample.taken_at);
}

/* A shutdown may begin without a signal: nobody takes one then. */
static void only_a_signal_that_came_is_taken(void **state)
{
	struct watched *watched = *state;
	struct shutdown_record *record = watch_record(watched->watch);
	record->signal_number = SIGINT;
	set_pending(watched, SIGINT, true);
	watched->sample.processes[0].signals.pending = 0;
	watched_sample(watched);
	record->signalled_at = record->armed_at;
	watched_sample(watched);
	assert_int_equal(shutdown_command(record)->disposition, DISPOSITION_CATCHES);
	assert_true(shutdown_command(record)->taken_at == INSTANT_UNKNOWN);
	record->signal_came = true;
	watched_sample(watched);
	assert_true(shutdown_command(record)->taken_at == watched->sample.taken_at);
}

/* The rows may name a session's process before a sample shows its socket. */
static void a_socket_that_shows_late_is_that_of_its_session(void **state)
{
	struct watched *watched = *state;
	struct shutdown_record *record = watch_record(watched->watch);
	size_t n_sockets = watched->sample.n_sockets;
	struct client_process client = { .alive = true };
	client.process.pid = watched->sample.processes[0].pid;
	client.process.start_ticks = watched->sample.processes[0].start_ticks;
	watched->assessment->processes = &client;
	watched->assessment->n_processes = 1;
	for (size_t i = 0; i < SOCKETS; i++)
		watched->assessment->connections[i].process = 0;
	watched->sample.n_sockets = 0;
	watched_sample(watched);
	watched_assess(watched);
	for (size_t i = 0; i < record->n_connections; i++)
		assert_int_equal(record->connections[i].inode, 0);
	size_t before = record->n_connections;
	assert_true(before > 0);
	watched->sample.n_sockets = n_sockets;
	watched_sample(watched);
	watched_assess(watched);
	for (size_t i = 0; i < before; i++)
		assert_int_not_equal(record->connections[i].inode, 0);
	assert_int_equal(record->n_connections, SOCKETS);
}

/* On a busy machine an answer may come long after the question. What ends after the question is a
 * sign of the shutdown all the same. */
static void a_slow_answer_makes_no_session_younger(void **state)
{
	struct watched *watched = *state;
	struct shutdown_record *record = watch_record(watched->watch);
	struct assessment *assessment = watched->assessment;
	const struct activity *shown = assessment->activity;
	struct activity answer = *shown;
	struct client_process client = { .alive = true };
	client.process.pid = watched->sample.processes[0].pid;
	client.process.start_ticks = watched->sample.processes[0].start_ticks;
	assessment->processes = &client;
	assessment->n_processes = 1;
	for (size_t i = 0; i < SOCKETS; i++) {
		assessment->connections[i].process = 0;
		((struct backend *)assessment->connections[i].backend)->start =
			assessment->server_now - 1;
	}
	watched->sample.n_sockets = 0;
	watched_sample(watched);
	answer.taken_monotonic = instant_monotonic();
	answer.asked_monotonic = answer.taken_monotonic - USEC_PER_SEC;
	assessment->activity = &answer;
	watched_assess(watched);
	assert_int_equal(record->n_connections, SOCKETS);
	int64_t ended_at = answer.asked_monotonic + 1;
	record_backend_ended(record, record->connections[0].backend, ended_at);
	assert_int_equal(
		shutdown_first_closing(record, INSTANT_UNKNOWN, answer.taken_monotonic), ended_at);
	assessment->activity = shown;
}

/* On a busy machine the time may be up before the scan that shows who holds the connections of a
 * process that ended. */
static void a_child_is_seen_to_hold_what_its_parent_held(void **state)
{
	struct watched *watched = *state;
	struct shutdown_record *record = watch_record(watched->watch);
	watched_sample(watched);
	watched_assess(watched);
	set_pending(watched, SIGINT, true);
	watched_sample(watched);
	int64_t now = instant_monotonic();
	record->timeout = 3600 * USEC_PER_SEC;
	record->signalled_at = now - 2 * record->timeout;
	for (size_t i = 0; i + 1 < record->n_processes; i++)
		record->processes[i].ended_at = now;
	int32_t child = record->processes[PROCESSES - 1].pid;
	watched_assess(watched);
	assert_false(record->over);
	watched->sample.processes[0] = watched->sample.processes[PROCESSES - 1];
	watched->sample.n_processes = 1;
	for (size_t i = 0; i < SOCKETS; i++)
		watched->sample.sockets[i].pid = child;
	watched_sample(watched);
	assert_false(record->over);
	watched->sample.whole = true;
	watched_sample(watched);
	assert_false(record->over);
	watched_poll(watched);
	assert_true(record->over);
	for (size_t i = 0; i < SOCKETS; i++)
		assert_int_equal(record->connections[i].owner, child);
}

static int count_pidfds(void)
{
	int count = 0;
	DIR *folder = opendir("/proc/self/fd");
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		char target[64] = "";
		(void)!readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		count += strstr(target, "pidfd") != NULL;
	}
	if (folder)
		closedir(folder);
	return count;
}

/* The pids of a server in a container are other processes' here, which may have begun in the same
 * second. Here a child of ours stands for such a process. */
static void only_backends_of_this_pid_namespace_are_held(void **state)
{
	struct watched *watched = *state;
	struct backend *backend = (struct backend *)watched->assessment->connections[0].backend;
	struct procfs *procfs = procfs_new("/proc");
	struct procfs_stat stat;
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(procfs_stat(procfs, child, &stat), 0);
	backend->pid = child;
	backend->start = procfs_started_at(procfs, stat.start_ticks);
	int before = count_pidfds();
	watched_sample(watched);
	watched_assess(watched);
	assert_int_equal(watch_record(watched->watch)->n_connections, SOCKETS);
	assert_int_equal(count_pidfds(), before);
	/* the same of a server that is here */
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	watched = *state;
	backend = (struct backend *)watched->assessment->connections[0].backend;
	backend->pid = child;
	backend->start = procfs_started_at(procfs, stat.start_ticks);
	before = count_pidfds();
	watched_sample(watched);
	watched_assess(watched);
	assert_int_equal(count_pidfds(), before);
	/* the scan that shows it comes after the rows */
	watched->assessment->place.here = true;
	watched_assess(watched);
	assert_int_equal(count_pidfds(), before + 1);
	watched_assess(watched);
	assert_int_equal(count_pidfds(), before + 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	procfs_free(procfs);
}

/* The server counts a session before it shows the first state of it: what has none yet may be
 * counted later than the signal. */
static void only_a_session_with_a_state_is_surely_counted(void **state)
{
	(void)state;
	struct shutdown_record record;
	shutdown_record_init(&record);
	shutdown_add_connection(&record)->state = "idle";
	shutdown_add_connection(&record)->state = NULL;
	record_baseline(&record);
	assert_true(record.connections[0].counted_before);
	assert_false(record.connections[1].counted_before);
	shutdown_record_deinit(&record);
}

/* The verdict on a shutdown that began at this instant and is over. */
static struct shutdown_verdict judge(struct shutdown_record *record, int64_t signalled_at)
{
	static const struct shutdown_rules rules;
	record->signalled_at = signalled_at;
	record->over = true;
	record->collecting = false;
	for (size_t i = 0; i < record->n_processes; i++)
		record->processes[i].ended_at = signalled_at;
	return shutdown_judge(record, &rules, instant_monotonic(), record->arena);
}

/* A session's end is reported by its backend's pidfd and by the server's next answer, which may
 * come much later on a busy machine: the first one counts. The drain time lasts until the last
 * session's end, to the microsecond. */
static void the_drain_time_is_that_of_the_last_session(void **state)
{
	struct watched *watched = *state;
	struct shutdown_record *record = watch_record(watched->watch);
	struct assessment *assessment = watched->assessment;
	const struct activity *shown = assessment->activity;
	struct activity answer = *shown;
	watched_sample(watched);
	watched_assess(watched);
	int64_t signalled_at = instant_monotonic();
	record->signalled_at = signalled_at;
	for (size_t i = 0; i + 1 < SOCKETS; i++)
		record_backend_ended(
			record, record->connections[i].backend, signalled_at + 7000 + (int64_t)i);
	assert_int_equal(judge(record, signalled_at).drained, -1);
	/* the answer lacks all of them */
	answer.n_backends = 0;
	answer.taken_at = INSTANT_UNKNOWN; /* the wall clock may be set meanwhile */
	answer.taken_monotonic = signalled_at + 412999;
	assessment->activity = &answer;
	struct arena *arena = arena_new();
	const struct session_reading reading =
		session_reading_make(record, assessment, false, arena);
	record_missing(record, &reading);
	arena_free(arena);
	assert_int_equal(judge(record, signalled_at).drained, 412999);
	record_backend_ended(record, record->connections[SOCKETS - 1].backend, signalled_at);
	assert_int_equal(judge(record, signalled_at).drained, 412999);
	record->connections[SOCKETS - 1].ended_at = signalled_at + 2;
	assert_int_equal(judge(record, signalled_at).drained, 7000 + SOCKETS - 2);
	assessment->activity = shown;
}

/* PostgreSQL 18 shows a session while its client logs in: it is no connection that a test waits
 * for, since its database is not known, whose counters say later how it ended. */
static void a_session_counts_once_its_client_has_logged_in(void **state)
{
	struct watched *watched = *state;
	struct backend *backend = (struct backend *)watched->assessment->connections[0].backend;
	watched_sample(watched);
	backend->state = BACKEND_STATE_STARTING;
	backend->state_text = "starting";
	watched_assess(watched);
	assert_int_equal(watch_count(watched->watch), SOCKETS - 1);
	backend->state = BACKEND_STATE_IDLE;
	backend->state_text = "idle";
	watched_assess(watched);
	assert_int_equal(watch_count(watched->watch), SOCKETS);
}

/* After the signal a pool may have removed its page. */
static void a_pool_lacks_its_page_before_the_signal(void **state)
{
	struct watched *watched = *state;
	const struct shutdown_record *record = watch_record(watched->watch);
	watched_sample(watched);
	watched->assessment->connections[0].pool_unseen = true;
	watched_assess(watched);
	watch_signalled(watched->watch);
	watched->assessment->connections[1].pool_unseen = true;
	watched_assess(watched);
	assert_true(record->connections[0].pool_unseen);
	assert_false(record->connections[1].pool_unseen);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_session_with_a_state_is_surely_counted),
		TEST(the_drain_time_is_that_of_the_last_session),
		TEST(a_session_counts_once_its_client_has_logged_in),
		TEST(an_armed_watch_does_not_grow),
		TEST(what_did_not_change_is_not_copied_again),
		TEST(connections_come_and_go),
		TEST(a_session_that_was_ended_is_known_as_ended),
		TEST(a_socket_that_the_server_closed_needs_no_session),
		TEST(connections_closed_before_the_death_by_the_signal_count),
		TEST(only_a_signal_that_came_is_taken),
		TEST(a_pending_signal_that_is_caught_begins_the_shutdown),
		TEST(a_socket_that_shows_late_is_that_of_its_session),
		TEST(a_slow_answer_makes_no_session_younger),
		TEST(a_child_is_seen_to_hold_what_its_parent_held),
		TEST(a_pool_lacks_its_page_before_the_signal),
		TEST(only_backends_of_this_pid_namespace_are_held),
	};
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
