/* analyze/close_evidence: what the server's counts say of sessions that no sample shows, and of how
 * the application closed its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "analyze/close_evidence.h"
#include "base/instant.h"
#include "model/shutdown.h"

#define SIGNALLED (INT64_C(1000) * USEC_PER_SEC)

/* The server's clock when sessions were counted before the command began. */
#define STARTED (INT64_C(5000) * USEC_PER_SEC)

enum { APP = 100 };

/* What the counts grew by, and what is known. */
struct scene {
	const char *name;
	int version;                 /* in thousands */
	int64_t sessions, abandoned; /* −1: not counted */
	int since_start;             /* sessions of all databases since the start; 0: not known */
	bool left;                   /* the connections' sessions have not ended */
	int counted, uncounted;      /* connections before the signal, counted before it or not */
	int after;                   /* connections after the signal */
	int unmatched;               /* sockets without a session before the signal */
	int came, stayed, gone;      /* foreign sessions */
	bool pooled;                 /* one connection is to PgBouncer, open to the end */
	bool open;                   /* the connections were open when the process ended */
	bool killed;                 /* by a signal that it does not handle */
	/* expected */
	int64_t least, most;
	enum close_evidence close;
};

static const struct scene scenes[] = {
	{ "all closed", 150, .counted = 2, .close = CLOSE_CONFIRMED },
	{ "one session more than is known", 150, .sessions = 1, .counted = 2, .least = 1, .most = 1,
		.close = CLOSE_CONFIRMED },
	{ "the one after the signal is known", 150, .sessions = 1, .counted = 2, .after = 1,
		.close = CLOSE_CONFIRMED },
	{ "a session that was still connecting at the baseline", 150, .sessions = 1, .counted = 1,
		.uncounted = 1, .most = 1, .close = CLOSE_CONFIRMED },
	{ "two counted late, one opened after the signal", 140, .sessions = 3, .uncounted = 2,
		.least = 1, .most = 3, .close = CLOSE_CONFIRMED },
	{ "two counted late, and a cancel request", 140, .sessions = 2, .uncounted = 2, .most = 2,
		.close = CLOSE_CONFIRMED },
	{ "a socket that had no session yet", 150, .sessions = 1, .counted = 2, .unmatched = 1,
		.most = 1, .close = CLOSE_CONFIRMED },
	{ "one that was counted late", 150, .sessions = 1, .since_start = 2, .counted = 2,
		.close = CLOSE_CONFIRMED },
	{ "one that was counted late, and one more", 150, .sessions = 2, .since_start = 3,
		.counted = 2, .least = 1, .most = 1, .close = CLOSE_CONFIRMED },
	{ "others came since the start", 150, .sessions = 1, .since_start = 9, .counted = 2,
		.least = 1, .most = 1, .close = CLOSE_CONFIRMED },
	{ "sessions that may not be counted yet", 150, .sessions = 1, .since_start = 2,
		.left = true, .counted = 2, .least = 1, .most = 1, .close = CLOSE_CONFIRMED },
	{ "another client's session", 150, .sessions = 1, .counted = 2, .came = 1,
		.close = CLOSE_CONFIRMED },
	{ "fewer sessions than are known", 150, .counted = 2, .after = 1,
		.close = CLOSE_CONFIRMED },
	{ "nothing is counted", 130, .sessions = -1, .abandoned = -1, .counted = 2, .least = -1,
		.most = -1, .close = CLOSE_UNKNOWN },
	{ "nothing is counted, and they were open to the end", 130, .sessions = -1, .abandoned = -1,
		.counted = 2, .open = true, .least = -1, .most = -1, .close = CLOSE_NOT_VISIBLE },
	{ "nothing is counted, and it was killed", 130, .sessions = -1, .abandoned = -1,
		.counted = 2, .open = true, .killed = true, .least = -1, .most = -1,
		.close = CLOSE_ABANDONED_PRESUMED },
	{ "abandoned", 150, .abandoned = 2, .counted = 2, .open = true, .close = CLOSE_ABANDONED },
	{ "abandoned by another client, perhaps", 150, .abandoned = 1, .counted = 2, .gone = 1,
		.close = CLOSE_UNKNOWN },
	{ "abandoned by more than the other clients", 150, .abandoned = 2, .counted = 2, .gone = 1,
		.close = CLOSE_ABANDONED },
	{ "another client that stays abandoned nothing", 150, .abandoned = 1, .counted = 2,
		.stayed = 1, .close = CLOSE_ABANDONED },
	{ "abandoned by a session that no sample shows, perhaps", 150, .sessions = 1,
		.abandoned = 1, .counted = 2, .least = 1, .most = 1, .close = CLOSE_UNKNOWN },
	{ "what is behind PgBouncer is not counted", 150, .counted = 1, .pooled = true,
		.close = CLOSE_NOT_VISIBLE },
};

static struct shutdown_connection *add(struct shutdown_record *record, const struct scene *scene)
{
	struct shutdown_connection *connection = shutdown_add_connection(record);
	connection->owner = APP;
	connection->inode = 50;
	connection->opened_at = SIGNALLED - USEC_PER_SEC;
	connection->backend = 7;
	connection->backend_start = STARTED + 1;
	connection->ended_at = scene->left ? INSTANT_UNKNOWN : SIGNALLED + 20;
	connection->closed_at = scene->open ? record->processes[0].ended_at : SIGNALLED;
	return connection;
}

static void add_foreign(struct shutdown_record *record, int count, bool came, bool gone)
{
	for (int i = 0; i < count; i++) {
		struct foreign_session *session = shutdown_add_foreign(record);
		session->came = came;
		session->gone = gone;
	}
}

static void make_record(struct shutdown_record *record, const struct scene *scene)
{
	shutdown_record_init(record);
	record->signal_number = SIGINT;
	record->signalled_at = SIGNALLED;
	record->server_version = scene->version * 1000;
	if (scene->sessions >= 0) {
		record->counts_before = (struct session_counts){ 1000, 10 };
		record->counts_after =
			(struct session_counts){ 1000 + scene->sessions, 10 + scene->abandoned };
	}
	if (scene->since_start) {
		record->counted_at_start = 5000;
		record->started_at = STARTED;
		record->counts_after.all = 5000 + scene->since_start;
	}
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = APP;
	process->command = process->has_status = true;
	process->status = scene->killed ? SIGKILL : 0;
	process->ended_at = SIGNALLED + 10;
	for (int i = 0; i < scene->counted; i++)
		add(record, scene)->counted_before = true;
	for (int i = 0; i < scene->uncounted; i++)
		(void)add(record, scene);
	for (int i = 0; i < scene->after; i++)
		add(record, scene)->after_signal = true;
	if (scene->pooled) {
		struct shutdown_connection *link = add(record, scene);
		link->link = LINK_POOLED;
		link->closed_at = process->ended_at;
	}
	for (int i = 0; i < scene->unmatched; i++) {
		struct shutdown_socket *socket = shutdown_add_socket(record);
		socket->established = true;
		socket->opened_at = SIGNALLED - 5;
	}
	add_foreign(record, scene->came, true, false);
	add_foreign(record, scene->stayed, false, false);
	add_foreign(record, scene->gone, false, true);
}

static void counts_say_no_more_than_they_can(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		const struct scene *scene = &scenes[i];
		struct shutdown_record record;
		make_record(&record, scene);
		struct unseen_sessions unseen = close_evidence_unseen(&record);
		enum close_evidence close = close_evidence_find(&record);
		if (unseen.least != scene->least || unseen.most != scene->most ||
			close != scene->close)
			fail_msg("%s: expected %lld to %lld and %d, found %lld to %lld and %d",
				scene->name, (long long)scene->least, (long long)scene->most,
				(int)scene->close, (long long)unseen.least, (long long)unseen.most,
				(int)close);
		shutdown_record_deinit(&record);
	}
}

static void only_a_lonely_application_has_opened_what_nobody_saw(void **state)
{
	(void)state;
	static const struct {
		int version;
		bool foreign, doubtful, alone;
	} cases[] = {
		{ 150, false, false, true },
		{ 150, true, false, false },
		{ 150, true, true, true },
		{ 140, false, false, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shutdown_record record;
		shutdown_record_init(&record);
		record.server_version = cases[i].version * 1000;
		if (cases[i].foreign)
			shutdown_add_foreign(&record)->doubtful = cases[i].doubtful;
		assert_int_equal(close_evidence_is_alone(&record), cases[i].alone);
		shutdown_record_deinit(&record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_say_no_more_than_they_can),
		cmocka_unit_test(only_a_lonely_application_has_opened_what_nobody_saw),
	};
	return cmocka_run_group_tests_name("close_evidence", tests, NULL, NULL);
}
