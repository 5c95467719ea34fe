/* One server among several: what a person needs to know of it at a glance, made from its
 * assessment. Pure. */
#ifndef MODEL_SERVER_ROW_H
#define MODEL_SERVER_ROW_H

#include <stdbool.h>
#include <stdint.h>

struct assessment;

/* Why a server needs a person, the most urgent reason first. */
enum server_need {
	NEED_UNREACHABLE, /* no answer, not let in, or our statement is refused */
	NEED_FULL,        /* no slot left for us */
	NEED_SILENT,      /* its answer is overdue */
	NEED_ROOM,        /* few slots are free */
	NEED_LEAKED,      /* sessions are leaked */
	NEED_WAITING,     /* sessions wait for locks, or a transaction is open for too long */
	NEED_CONNECTING,  /* nothing is known yet */
	NEED_NOTHING,
};
#define SERVER_NEED_COUNT (NEED_NOTHING + 1)

struct server_row {
	char *name;                          /* the config's, else host:port/database; clean */
	bool has_place;                      /* the name is host:port/database */
	const struct assessment *assessment; /* borrowed; NULL before the first one */
	enum server_need need;
	int room;   /* free slots at least, or what a CONNECTION LIMIT leaves; −1: not known */
	int leaked; /* −1: not known */
	bool asks_password;    /* the server waits for a password, which a person may type */
	bool is_partly_hidden; /* sessions are hidden from our role: others may be leaked */
	int waiting;           /* sessions that wait for a lock; −1: not known */
	int64_t transaction; /* µs: the age of the oldest transaction; 0: none; −1: not known */
};

/* Nothing is known of it yet. `name`: the config's, clean; NULL: it has none. */
void server_row_init(struct server_row *row, const char *name);

/* Describes the server anew; the assessment is borrowed until the next call. min_free: fewer free
 * slots than this are few; 0: a tenth of all. */
void server_row_update(struct server_row *row, const struct assessment *assessment, int min_free);
void server_row_deinit(struct server_row *row);

/* Whether a person should open it: not when nothing is wrong, or nothing is known yet. */
bool server_row_needs_person(const struct server_row *row);

/* Negative if a needs a person more urgently than b; names decide between equals. */
int server_row_compare(const struct server_row *a, const struct server_row *b);

/* "app2" comes before "app10". */
int server_row_compare_names(const struct server_row *a, const struct server_row *b);

#endif
