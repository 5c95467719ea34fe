/* The verdict on a connection and its words. */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include <stdint.h>

enum status {
	STATUS_UNKNOWN, /* the server hides the row: never called idle or leaked */
	STATUS_ACTIVE,
	STATUS_IDLE,
	STATUS_IDLE_IN_TRANSACTION,
	STATUS_LEAKED,
};
#define STATUS_COUNT (STATUS_LEAKED + 1)

enum reason {
	REASON_NONE,
	REASON_CLIENT_GONE,
	REASON_HELD_TOO_LONG,
	REASON_LOCK_STRANDED,
	REASON_IDLE_IN_TRANSACTION_TOO_LONG,
	REASON_IDLE_TOO_LONG,
};
#define REASON_COUNT (REASON_IDLE_TOO_LONG + 1)

enum certainty {
	CERTAINTY_NONE,
	CERTAINTY_PRESUMED, /* judged by age only */
	CERTAINTY_DECLARED, /* reported by the application's own pool */
	CERTAINTY_PROVEN,   /* no client can use the session any more */
};
#define CERTAINTY_COUNT (CERTAINTY_PROVEN + 1)

enum protection {
	PROTECTION_NONE,
	PROTECTION_OWN,
	PROTECTION_SYSTEM,
	PROTECTION_APPLICATION,
	PROTECTION_USER,
	PROTECTION_BACKUP,
	PROTECTION_BACKEND_CLIENT,
	PROTECTION_POOL_RESERVE,
	PROTECTION_PGBOUNCER_SERVER,
	PROTECTION_POOLER,
	PROTECTION_LISTENER,
	PROTECTION_ADVISORY_LOCK,
};
#define PROTECTION_COUNT (PROTECTION_ADVISORY_LOCK + 1)

struct verdict {
	enum status status;
	enum reason reason;         /* REASON_NONE unless leaked */
	enum certainty certainty;   /* CERTAINTY_NONE unless leaked */
	enum protection protection; /* PROTECTION_NONE when leaked */
	int64_t age;                /* µs in this state; −1 when unknown */
};

/* The word used in JSON and on the screen: "idle_in_transaction". */
const char *status_name(enum status status);
/* NULL for REASON_NONE, CERTAINTY_NONE, PROTECTION_NONE. */
const char *reason_name(enum reason reason);
const char *certainty_name(enum certainty certainty);
const char *protection_name(enum protection protection);

/* A short description for people: "client gone", "idle too long"; NULL for NONE. */
const char *reason_phrase(enum reason reason);
/* "in its pool's reserve", "holds an advisory lock"; NULL for NONE. */
const char *protection_phrase(enum protection protection);

#endif
