/* The words of the verdicts. */
#include "model/verdict.h"

#include <stddef.h>

static const char *const status_names[] = {
	[STATUS_UNKNOWN] = "unknown",
	[STATUS_ACTIVE] = "active",
	[STATUS_IDLE] = "idle",
	[STATUS_IDLE_IN_TRANSACTION] = "idle_in_transaction",
	[STATUS_LEAKED] = "leaked",
};

static const struct {
	const char *name, *phrase;
} reasons[] = {
	[REASON_CLIENT_GONE] = { "client_gone", "client gone" },
	[REASON_HELD_TOO_LONG] = { "held_too_long", "held too long" },
	[REASON_LOCK_STRANDED] = { "lock_stranded", "lock stranded in its pool" },
	[REASON_IDLE_IN_TRANSACTION_TOO_LONG] = { "idle_in_transaction_too_long",
		"idle in transaction too long" },
	[REASON_IDLE_TOO_LONG] = { "idle_too_long", "idle too long" },
};

static const char *const certainty_names[] = {
	[CERTAINTY_PRESUMED] = "presumed",
	[CERTAINTY_DECLARED] = "declared",
	[CERTAINTY_PROVEN] = "proven",
};

static const struct {
	const char *name, *phrase;
} protections[] = {
	[PROTECTION_OWN] = { "own", "dbtop's own" },
	[PROTECTION_SYSTEM] = { "system", "PostgreSQL's or the service's own" },
	[PROTECTION_APPLICATION] = { "application", "protected by name" },
	[PROTECTION_USER] = { "user", "protected user" },
	[PROTECTION_BACKUP] = { "backup", "backup or maintenance" },
	[PROTECTION_BACKEND_CLIENT] = { "backend_client", "used by a working session" },
	[PROTECTION_POOL_RESERVE] = { "pool_reserve", "in its pool's reserve" },
	[PROTECTION_PGBOUNCER_SERVER] = { "pgbouncer_server", "in PgBouncer's reserve" },
	[PROTECTION_POOLER] = { "pooler", "in a pooler's reserve" },
	[PROTECTION_LISTENER] = { "listener", "waits for notifications" },
	[PROTECTION_ADVISORY_LOCK] = { "advisory_lock", "holds an advisory lock" },
};

const char *status_name(enum status status)
{
	return status_names[status];
}

const char *reason_name(enum reason reason)
{
	return reasons[reason].name;
}

const char *reason_phrase(enum reason reason)
{
	return reasons[reason].phrase;
}

const char *certainty_name(enum certainty certainty)
{
	return certainty_names[certainty];
}

const char *protection_name(enum protection protection)
{
	return protections[protection].name;
}

const char *protection_phrase(enum protection protection)
{
	return protections[protection].phrase;
}
