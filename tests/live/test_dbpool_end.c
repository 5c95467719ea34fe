/* Ends of processes with a pool: no session is left on the server, in whatever way the process
 * ends. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_pool.h"

static const char *conninfo;

struct ending {
	const char *role;
	int signal_number; /* 0: the process ends by itself */
	int second;        /* a second signal; 0 for none */
	int status;
	bool promised; /* no session is left once the process has ended; else the server detects the
			  end later */
};

/* One process starts 50 children for each ending. */
static void run_endings(const struct ending *endings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(cleanup_free)
		char *argument = mem_printf("%s %d %d %d %d %d", endings[i].role,
			endings[i].signal_number, endings[i].second, endings[i].status,
			endings[i].promised, live_rounds(50));
		live_pool_run(conninfo, "batch", argument);
		assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);
	}
}

#define RUN(endings) run_endings(endings, sizeof(endings) / sizeof(endings[0]))

static void signals_leave_no_session(void **state)
{
	static const struct ending endings[] = {
		{ "idle", SIGINT, 0, 128 + SIGINT, true },
		{ "idle", SIGTERM, 0, 128 + SIGTERM, true },
		{ "query", SIGINT, 0, 128 + SIGINT, true },
		{ "query", SIGTERM, 0, 128 + SIGTERM, true },
		{ "transaction", SIGINT, 0, 128 + SIGINT, true },
		{ "transaction", SIGTERM, 0, 128 + SIGTERM, true },
		{ "waiters", SIGINT, 0, 128 + SIGINT, true },
		{ "waiters", SIGTERM, 0, 128 + SIGTERM, true },
	};
	(void)state;
	RUN(endings);
}

/* A signal before the pool has installed its handlers ends the process at once. */
static void signals_while_starting_leave_no_session(void **state)
{
	static const struct ending endings[] = {
		{ "starting", SIGINT, 0, 128 + SIGINT, false },
		{ "starting", SIGTERM, 0, 128 + SIGTERM, false },
	};
	(void)state;
	RUN(endings);
}

static void exits_leave_no_session(void **state)
{
	static const struct ending endings[] = {
		{ "returns", 0, 0, 5, true },
		{ "exits", 0, 0, 6, true },
		{ "leaves", 0, 0, 7, false },
		{ "aborts", 0, 0, 128 + SIGABRT, false },
		{ "killed", SIGKILL, 0, 128 + SIGKILL, false },
	};
	(void)state;
	RUN(endings);
}

/* The shutdown would take ten minutes. */
static void a_second_signal_ends_at_once(void **state)
{
	static const struct ending endings[] = {
		{ "twice", SIGINT, SIGINT, 128 + SIGINT, false },
		{ "twice", SIGTERM, SIGINT, 128 + SIGINT, false },
	};
	(void)state;
	RUN(endings);
}

static void the_applications_handlers_are_kept(void **state)
{
	static const struct ending endings[] = {
		{ "own-handler", SIGTERM, 0, 8, true },
		{ "ignored", 0, 0, 9, true },
	};
	(void)state;
	RUN(endings);
}

static void name_route(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, "sslmode=disable gssencmode=disable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(signals_leave_no_session),
		LIVE_TEST(signals_while_starting_leave_no_session),
		LIVE_TEST(exits_leave_no_session),
		LIVE_TEST(the_applications_handlers_are_kept),
		LIVE_TEST(a_second_signal_ends_at_once),
	};
	return LIVE_GROUP("dbpool_end", tests, .oldest = 14,
		.settings = (const char *const[]){ "max_connections=100", NULL },
		.set_up = name_route);
}
