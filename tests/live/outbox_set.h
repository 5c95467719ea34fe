/* An outbox for the live tests: a table, a file, and an outbox in this process with the events that
 * it has reported. */
#ifndef OUTBOX_SET_H
#define OUTBOX_SET_H

#include "live_group.h"

#include <stdint.h>

#include "dboutbox.h"
#include "dbpool.h"

#define SET_TIMEOUT 90000

#define SET_SQL                                                                                    \
	"CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE postgres TO app; "                        \
	"GRANT ALL ON SCHEMA public TO app"

/* The group's settings: a server that loses nothing when it is stopped at once. */
extern const char *const set_settings[];

extern char *set_file; /* of the test's outbox */

/* For LIVE_GROUP(). */
void set_up(void);

/* A new table `sent` and a new file. */
void set_begin(void);

/* The first value of a query on the group's server, by a superuser. */
long set_number(const char *sql);

/* --- an outbox in this process --- */

extern struct dbpool *set_pool;
extern struct dboutbox *set_outbox;
extern char *set_pages; /* the folder of its stats page */

/* set_begin(), a pool to `conninfo` (NULL: the group's server, as role app) and an outbox. */
void set_open(const char *conninfo);

/* Closes both. */
void set_close(void);

/* The configuration with which set_open() opened the outbox, and another opening of it. */
struct dboutbox_config set_config(void);
void set_reopen(const struct dboutbox_config *config);

/* A write; it must succeed. */
void set_write_sql(const char *sql);
void set_write(long number);

/* All that is written is sent or rejected. */
void set_flush(void);

struct dboutbox_stats set_stats(void);
void set_await_state(enum dboutbox_state state);

/* What was reported of a kind. */
struct set_event {
	int count;
	int64_t writes;
	char sqlstate[6], text[1024]; /* of the last one */
};

/* Waits until it was reported so often: an event may come a moment after a flush that it belongs to
 * has returned. */
struct set_event set_await_event(enum dboutbox_event_kind kind, int count);

#endif
