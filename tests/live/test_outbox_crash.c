/* libdboutbox: nothing is lost and nothing is doubled, whatever ends at whatever moment: the
 * process, the server, the power, the room on the disk. */
#include "outbox_set.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static unsigned seed = 7;

static struct live_program *start_for(
	const char *more, const char *role, long argument, const char *flush_ms)
{
	CLEANUP(cleanup_free) char *text = mem_printf("%ld", argument);
	const char *argv[] = { OUTBOX_CLIENT_PATH, live_group_conninfo(LIVE_TCP4, more), set_file,
		role, text, flush_ms, NULL };
	const struct live_program_options options = { .argv = argv };
	return live_start(&options);
}

static struct live_program *start(const char *more, const char *role, long argument)
{
	return start_for(more, role, argument, NULL);
}

/* Sends what is left; the outbox must then be empty. */
static void drain(void)
{
	struct live_program *program = start("user=app", "drain", 0);
	int status = live_finish(program, SET_TIMEOUT);
	if (status != 0 || strncmp(live_out(program), "0 ", 2) != 0)
		fail_msg("status %d: %s%s", status, live_out(program), live_err(program));
	live_free(program);
}

/* Each acknowledged number exactly once, none twice, all in order. */
static void compare(const bool *acknowledged, long n)
{
	PGconn *conn = live_connect(live_group_conninfo(LIVE_UNIX, NULL));
	assert_int_equal(
		live_number(conn, "SELECT count(*) - count(DISTINCT number) FROM sent"), 0);
	assert_int_equal(
		live_number(conn,
			"SELECT count(*) FROM (SELECT number, lag(number) OVER (ORDER BY id) "
			"AS before FROM sent) AS s WHERE before > number"),
		0);
	PGresult *result = PQexec(conn, "SELECT number FROM sent");
	bool *found = calloc((size_t)n + 1, sizeof(*found));
	for (int i = 0; i < PQntuples(result); i++) {
		long value = atol(PQgetvalue(result, i, 0));
		if (value >= 0 && value < n)
			found[value] = true;
	}
	PQclear(result);
	PQfinish(conn);
	for (long i = 0; i < n; i++)
		if (acknowledged[i] && !found[i])
			fail_msg("%ld was acknowledged, and is lost", i);
	free(found);
}

#define NUMBERS 4000000

static long note_acknowledged(struct live_program *program, bool *acknowledged, long last)
{
	for (const char *line = live_out(program); *line && strchr(line, '\n');
		line = strchr(line, '\n') + 1) {
		last = atol(line);
		assert_true(last >= 0 && last < NUMBERS);
		acknowledged[last] = true;
	}
	return last;
}

/* Stops the server as a crash would, and starts it again. */
static void crash_server(void)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	kill(private_server_pid(server), SIGQUIT);
	if (private_server_restart(server, error) < 0)
		fail_msg("restart: %s", error);
}

static void kill_and_restart(const char *more, int rounds)
{
	set_begin();
	bool *acknowledged = calloc(NUMBERS, sizeof(*acknowledged));
	long last = 0;
	for (int round = 0; round < rounds; round++) {
		struct live_program *program = start(more, "write", last + 1);
		/* on a busy machine it may be killed in each round before it writes */
		if (round == 0)
			live_wait_out(program, "\n", SET_TIMEOUT);
		usleep((useconds_t)rand_r(&seed) % 300000);
		if (rand_r(&seed) % 3 == 0)
			crash_server();
		usleep((useconds_t)rand_r(&seed) % 200000);
		live_signal(program, SIGKILL);
		assert_int_equal(live_finish(program, SET_TIMEOUT), 128 + SIGKILL);
		last = note_acknowledged(program, acknowledged, last) + 1;
		live_free(program);
	}
	drain();
	compare(acknowledged, last + 1);
	assert_true(last > rounds);
	free(acknowledged);
}

static void killed_processes_lose_and_double_nothing(void **state)
{
	(void)state;
	kill_and_restart("user=app", live_rounds(12));
}

static void neither_does_a_role_that_commits_without_waiting(void **state)
{
	(void)state;
	live_sql(server, "ALTER ROLE app SET synchronous_commit = off");
	kill_and_restart("user=app", live_rounds(6));
	live_sql(server, "ALTER ROLE app RESET synchronous_commit");
}

static void a_power_loss_loses_and_doubles_nothing(void **state)
{
	(void)state;
	set_begin();
	bool *acknowledged = calloc(NUMBERS, sizeof(*acknowledged));
	long last = 0;
	for (int round = 0; round < live_rounds(12); round++) {
		struct live_program *program =
			start("user=app", "power", last / 1000 + 1 + rand_r(&seed) % 15);
		int status = live_finish(program, SET_TIMEOUT);
		if (status != 0)
			fail_msg("status %d: %s", status, live_err(program));
		last = note_acknowledged(program, acknowledged, last);
		live_free(program);
	}
	drain();
	compare(acknowledged, last + 1);
	free(acknowledged);
}

static void a_full_disk_is_reported(void **state)
{
	(void)state;
	set_begin();
	assert_int_equal(mkdir(set_file, 0700), 0);
	struct live_program *program = start("user=app", "full", 0);
	int status = live_finish(program, SET_TIMEOUT);
	if (status != 0)
		fail_msg("status %d: %s", status, live_err(program));
	assert_int_equal(set_number("SELECT count(*) FROM sent"), atol(live_out(program)));
	assert_int_equal(rmdir(set_file), 0);
}

static void the_pools_shutdown_sends_what_it_can(void **state)
{
	(void)state;
	set_begin();
	/* the default's 5 s may be too short for a busy machine */
	struct live_program *program = start_for("user=app", "shutdown", 300, "60000");
	assert_int_equal(live_finish(program, SET_TIMEOUT), 0);
	assert_string_equal(live_out(program), "0\n");
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 300);
	/* and what it cannot send stays, when all of the time is over */
	set_begin();
	live_sql(server, "REVOKE ALL ON sent FROM app");
	program = start("user=app", "shutdown", 30);
	assert_int_equal(live_finish(program, SET_TIMEOUT), 0);
	assert_string_equal(live_out(program), "30\n");
	live_sql(server, "GRANT ALL ON sent TO app");
	drain();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(killed_processes_lose_and_double_nothing),
		LIVE_TEST(neither_does_a_role_that_commits_without_waiting),
		LIVE_TEST(a_power_loss_loses_and_doubles_nothing),
		LIVE_TEST(a_full_disk_is_reported),
		LIVE_TEST(the_pools_shutdown_sends_what_it_can),
	};
	return LIVE_GROUP(
		"outbox_crash", tests, .settings = set_settings, .set_up = set_up, .sql = SET_SQL);
}
