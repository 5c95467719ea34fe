/* Why the emergency leaves a process alone. */
#ifndef MODEL_SKIP_H
#define MODEL_SKIP_H

/* Why a process at the other end of the server's connections is left alone. */
enum skip_reason {
	SKIP_NONE, /* not skipped: it is stopped */
	SKIP_UNREADABLE,
	SKIP_DBTOP,
	SKIP_POSTGRESQL,
	SKIP_PARENT,
	SKIP_HA_AGENT,
	SKIP_PGBOUNCER,
	SKIP_PROXY,
	SKIP_SSHD,
	SKIP_FORWARDER,
	SKIP_OTHER_USER,
	SKIP_SERVERS_USER,
	SKIP_PROTECTED,
	SKIP_CLIENT_PROGRAM,
	SKIP_OUT_OF_SCOPE,
	SKIP_NOT_NAMED,
	SKIP_UNTICKED,
	SKIP_NOT_TOLD, /* the name of its application is not known; another scan may find it */
};
#define SKIP_COUNT (SKIP_NOT_TOLD + 1)

/* "pgbouncer"; NULL for SKIP_NONE. */
const char *skip_reason_name(enum skip_reason skip);
/* "another user's process"; NULL for SKIP_NONE. */
const char *skip_reason_phrase(enum skip_reason skip);

#endif
