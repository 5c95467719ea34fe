/* The emergency: which processes are stopped, which sessions are ended after them, what is left;
 * and who is left alone, and why. The words its page, its report and the audit log share. */
#ifndef MODEL_EMERGENCY_H
#define MODEL_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/action.h"

struct arena;

/* Why a process at the other end of the server's connections is left alone. */
enum spared {
	SPARED_NOT, /* it is stopped */
	SPARED_UNREADABLE,
	SPARED_DBTOP,
	SPARED_POSTGRESQL,
	SPARED_PARENT,
	SPARED_HA_AGENT,
	SPARED_PGBOUNCER,
	SPARED_PROXY,
	SPARED_SSHD,
	SPARED_FORWARDER,
	SPARED_OTHER_USER,
	SPARED_SERVERS_USER,
	SPARED_PROTECTED,
	SPARED_CLIENT_PROGRAM,
	SPARED_OUT_OF_SCOPE,
	SPARED_NOT_NAMED,
	SPARED_NOT_TOLD, /* its application's name is not known: another look may tell */
};
#define SPARED_COUNT (SPARED_NOT_TOLD + 1)

/* What the kernel tells of a process beside its sockets; see proc/inspect. */
struct process_facts {
	int32_t pid;
	uint64_t start_ticks;
	const char *executable;  /* its file's name; NULL when it could not be read */
	const char *script;      /* of an interpreter, the name of the script; NULL */
	const char *application; /* the name it was told to connect with, by its environment or its
				    command line; NULL: none, or not to be read */
	bool ours;               /* dbtop, this one or another, or an ancestor of ours */
	bool serves;             /* it listens where PostgreSQL's clients connect */
	bool starts_server;      /* an ancestor of a process that holds the server's ends */
	bool servers_user;       /* it runs as the user of a PostgreSQL that holds them */
	bool forwards;           /* what it sends to the server another connection brings it */
	int32_t parent;          /* 0: not known */
	const char *parent_name; /* the kernel's: "sh"; NULL when not known */
};

struct emergency_process {
	int32_t pid;
	uint64_t start_ticks;
	const char *name, *command, *user, *unit; /* NULL when not known */
	const char *applications; /* the names its connections go by: "app, app/1"; NULL */
	uint32_t connections;     /* to this server */
	int32_t parent;           /* who started it; 0: not known */
	const char *parent_name;  /* NULL when not known */
	enum spared spared;
	const char *why; /* more words on it: "protect.processes: cron*"; NULL */

	/* the act; of those that are not spared */
	int signal;   /* the last one sent; 0: none yet */
	int64_t took; /* µs from the first signal to its end; −1: it has not ended */
	enum action_result result; /* RESULT_PENDING until it has one */
	const char *detail;        /* NULL */
};

enum emergency_phase {
	EMERGENCY_PLANNED,
	EMERGENCY_FREEING,  /* without a connection: one process after the other, until we are in */
	EMERGENCY_STOPPING, /* all that are left */
	EMERGENCY_ENDING,   /* the sessions that outlived their process */
	EMERGENCY_COUNTING,
	EMERGENCY_DONE,
};

/* What the count found of the application. */
struct emergency_left {
	int32_t backend;     /* 0: a process whose sessions we do not see */
	int32_t process_pid; /* 0: none, or not known */
	const char *name;    /* the process's, or else the application's; NULL */
	uint32_t connections;
	const char *why;
};

/* Sessions are ended in rounds, because one may change between a look and the act. */
#define EMERGENCY_ROUNDS_MAX 16

struct emergency {
	struct arena *arena; /* owns everything here but the plans, the emergency itself too */
	int64_t made_at;
	const char *server; /* "app @ 127.0.0.1:5432" */
	const char *role;
	int64_t grace;  /* µs between SIGTERM and SIGKILL */
	bool force;     /* SIGKILL at once */
	bool connected; /* made with a connection; else from sockets alone */
	/* Those to be stopped come first. */
	struct emergency_process *processes;
	size_t n_processes;
	struct action_plan *gone; /* sessions whose client is gone already: they are ended, too */
	struct action_plan *held; /* those of the processes to be stopped: what is lost with them */

	enum emergency_phase phase;
	struct action_plan *rounds[EMERGENCY_ROUNDS_MAX];
	size_t n_rounds;
	struct emergency_left *left;
	size_t n_left;
	int counted;        /* the application's connections after it; −1: not known */
	const char *cannot; /* why it could not go on, or not count; NULL */
	bool interrupted;
};

/* The plans, too; NULL is allowed. */
void emergency_free(struct emergency *emergency);

/* Those to be stopped. */
size_t emergency_count_stopped(const struct emergency *emergency);
/* Their connections. */
size_t emergency_count_connections(const struct emergency *emergency);

#define EMERGENCY_LOSES_MAX 160

/* "2 open transactions, 1 running statement, 5 locks, 1 waits": what goes with a process to be
 * stopped, as far as its sessions are known; "" for nothing. Returns text. */
char *emergency_loses(const struct emergency *emergency, const struct emergency_process *process,
	char text[static EMERGENCY_LOSES_MAX]);

/* What became of each session that was ended or was to be: the last round that named it. Calls
 * back in the order of the rounds. */
void emergency_each_session(const struct emergency *emergency,
	void (*each)(void *data, const struct action_target *target), void *data);

/* "pgbouncer"; NULL for SPARED_NOT. */
const char *spared_name(enum spared spared);
/* "another user's process"; NULL for SPARED_NOT. */
const char *spared_phrase(enum spared spared);
/* "freeing a slot" */
const char *emergency_phase_name(enum emergency_phase phase);
/* "SIGTERM"; "" for 0. */
const char *emergency_signal_name(int signal);

#endif
