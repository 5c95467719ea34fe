/* The example applications do what their first comment says. */
#include "live_group.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define TIMEOUT 100000

static char *file;

static bool is_away(void *data)
{
	(void)data;
	return PQping(private_server_conninfo(server)) == PQPING_NO_RESPONSE;
}

/* Until it is away it may store what comes. */
static void stop_server(void)
{
	kill(private_server_pid(server), SIGQUIT);
	if (!live_wait(is_away, NULL, TIMEOUT))
		fail_msg("the server still answers");
}

static void start_server(void)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	if (private_server_restart(server, error) < 0)
		fail_msg("restart: %s", error);
}

/* At its end it waits for so many seconds until all are sent. */
static struct live_program *start(const char *count, const char *seconds)
{
	const char *argv[] = { READINGS_PATH, live_group_conninfo(LIVE_TCP4, NULL), file, count,
		seconds, NULL };
	const struct live_program_options options = { .argv = argv };
	return live_start(&options);
}

/* Its last line. */
static void finish(struct live_program *program, const char *line)
{
	CLEANUP(cleanup_free) char *wanted = mem_printf("%s %s\n", line, file);
	int status = live_finish(program, TIMEOUT);
	if (status != 0 || !strstr(live_out(program), wanted))
		fail_msg("status %d: %s%s", status, live_out(program), live_err(program));
	live_free(program);
}

static long count_readings(void)
{
	PGconn *conn = live_connect(live_group_conninfo(LIVE_UNIX, NULL));
	long count = live_number(conn, "SELECT count(*) FROM readings");
	PQfinish(conn);
	return count;
}

static void readings_are_stored_while_the_server_is_away(void **state)
{
	(void)state;
	stop_server();
	/* the table is a write, too */
	finish(start("20", "0"), "stored 20 readings, 21 writes wait in");
	start_server();
	finish(start("5", "90"), "stored 5 readings, 0 writes wait in");
	assert_int_equal(count_readings(), 25);
}

static void readings_catch_up_when_the_server_comes_back(void **state)
{
	(void)state;
	live_sql(server, "DROP TABLE readings");
	struct live_program *program = start("1000000", "90");
	stop_server();
	live_wait_out(program, "waiting: ", TIMEOUT);
	start_server();
	live_wait_out(program, "idle: ", TIMEOUT);
	live_signal(program, SIGTERM);
	int status = live_finish(program, TIMEOUT);
	const char *line = strstr(live_out(program), "stored ");
	if (status != 0 || !line || !strstr(line, ", 0 writes wait in "))
		fail_msg("status %d: %s%s", status, live_out(program), live_err(program));
	assert_int_equal(count_readings(), atol(line + strlen("stored ")));
	live_free(program);
}

static void set_up(void)
{
	file = mem_printf("%s/readings", live_folder());
}

static void take_down(void)
{
	free(file);
}

int main(void)
{
	static const char *const settings[] = { "fsync=on", "synchronous_commit=on", NULL };
	const struct CMUnitTest tests[] = {
		LIVE_TEST(readings_are_stored_while_the_server_is_away),
		LIVE_TEST(readings_catch_up_when_the_server_comes_back),
	};
	return LIVE_GROUP(
		"examples", tests, .settings = settings, .set_up = set_up, .take_down = take_down);
}
