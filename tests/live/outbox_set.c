#include "outbox_set.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

const char *const set_settings[] = { "fsync=on", "full_page_writes=on", "synchronous_commit=on",
	NULL };

char *set_file;
char *set_pages;
struct dbpool *set_pool;
struct dboutbox *set_outbox;

static const char *app_conninfo;

void set_up(void)
{
	app_conninfo = live_group_conninfo(LIVE_TCP4, "user=app");
	set_pages = mem_printf("%s/pages", live_folder());
}

void set_begin(void)
{
	static int count;
	free(set_file);
	set_file = mem_printf("%s/outbox-%d", live_folder(), count++);
	live_sql(server,
		"DROP TABLE IF EXISTS sent; CREATE TABLE sent (id serial PRIMARY KEY, "
		"number bigint NOT NULL); GRANT ALL ON sent, sent_id_seq TO app; "
		"DROP SCHEMA IF EXISTS dboutbox CASCADE");
}

long set_number(const char *sql)
{
	PGconn *conn = live_connect(live_group_conninfo(LIVE_UNIX, NULL));
	long number = live_number(conn, sql);
	PQfinish(conn);
	return number;
}

/* --- events --- */

#define KINDS (DBOUTBOX_EVENT_STOPPED + 1)

static pthread_mutex_t events_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct set_event events[KINDS];

static void on_event(void *data, const struct dboutbox_event *event)
{
	(void)data;
	pthread_mutex_lock(&events_mutex);
	events[event->kind].count++;
	events[event->kind].writes += event->count;
	snprintf(events[event->kind].sqlstate, sizeof(events[0].sqlstate), "%s", event->sqlstate);
	snprintf(events[event->kind].text, sizeof(events[0].text), "%s", event->text);
	pthread_mutex_unlock(&events_mutex);
}

static struct set_event event_of(enum dboutbox_event_kind kind)
{
	pthread_mutex_lock(&events_mutex);
	struct set_event event = events[kind];
	pthread_mutex_unlock(&events_mutex);
	return event;
}

struct awaited {
	enum dboutbox_event_kind kind;
	int count;
};

static bool was_reported(void *data)
{
	const struct awaited *awaited = data;
	return event_of(awaited->kind).count >= awaited->count;
}

struct set_event set_await_event(enum dboutbox_event_kind kind, int count)
{
	struct awaited awaited = { kind, count };
	if (!live_wait(was_reported, &awaited, SET_TIMEOUT))
		fail_msg("event %d was reported %d times", (int)kind, event_of(kind).count);
	return event_of(kind);
}

/* --- the outbox --- */

struct dboutbox_config set_config(void)
{
	return (struct dboutbox_config){ .size = sizeof(struct dboutbox_config),
		.path = set_file,
		.pool = set_pool,
		.log = on_event };
}

void set_reopen(const struct dboutbox_config *config)
{
	set_outbox = dboutbox_open(config, NULL);
	if (!set_outbox)
		fail_msg("%s", dboutbox_error());
}

void set_open(const char *conninfo)
{
	set_begin();
	memset(events, 0, sizeof(events));
	const struct dbpool_config pool = { .size = sizeof(pool),
		.conninfo = conninfo ? conninfo : app_conninfo,
		.name = "here",
		/* a busy machine takes its time to open a connection */
		.connect_timeout_ms = 20000,
		.no_signals = 1,
		.no_exit = 1,
		.page_folder = set_pages };
	if (dbpool_new(&pool, &set_pool) != DBPOOL_OK)
		fail_msg("%s", dbpool_error());
	const struct dboutbox_config config = set_config();
	set_reopen(&config);
}

void set_close(void)
{
	dboutbox_close(set_outbox);
	set_outbox = NULL;
	dbpool_free(set_pool);
	set_pool = NULL;
}

void set_write_sql(const char *sql)
{
	const struct dboutbox_statement statement = { .sql = sql };
	if (dboutbox_write(set_outbox, &statement) != DBOUTBOX_OK)
		fail_msg("%s", dboutbox_error());
}

void set_write(long number)
{
	CLEANUP(cleanup_free)
	char *sql = mem_printf("INSERT INTO sent (number) VALUES (%ld)", number);
	set_write_sql(sql);
}

void set_flush(void)
{
	int left = dboutbox_flush(set_outbox, SET_TIMEOUT);
	if (left != 0)
		fail_msg("%d are left, %s: %s", left, dboutbox_state_name(set_stats().state),
			set_stats().last_error);
}

struct dboutbox_stats set_stats(void)
{
	struct dboutbox_stats stats;
	dboutbox_stats(set_outbox, &stats, sizeof(stats));
	return stats;
}

static bool is_in_state(void *data)
{
	return set_stats().state == *(const enum dboutbox_state *)data;
}

void set_await_state(enum dboutbox_state state)
{
	if (!live_wait(is_in_state, &state, SET_TIMEOUT))
		fail_msg("%s: %s", dboutbox_state_name(set_stats().state), set_stats().last_error);
}
