/* The emergency: which processes are stopped, which sessions are ended after them, what is left,
 * and which processes are left alone and why. Its screen, its report and the audit log share these
 * words. */
#ifndef MODEL_EMERGENCY_H
#define MODEL_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/action.h"
#include "model/findings.h"

struct arena;

/* What the kernel shows of a process besides its sockets; see proc/inspect. */
struct process_facts {
	int32_t pid;
	uint64_t start_ticks;
	bool hangs;              /* it was not read: reading it hangs in the kernel */
	const char *executable;  /* its file's name; NULL when it could not be read */
	const char *path;        /* the whole path of it; NULL likewise */
	const char *script;      /* of an interpreter, the name of the script; NULL */
	const char *application; /* the application_name from its environment or command line; NULL:
				    none, or unreadable */
	bool ours;               /* dbtop (this one or another), or an ancestor of this one */
	bool serves;             /* it listens on the port of PostgreSQL's clients */
	bool starts_server;      /* an ancestor of a process that holds the server's ends */
	bool servers_user;       /* it runs as the user of a PostgreSQL that holds them */
	bool forwards;  /* it forwards: another connection brings what it sends to the server */
	int32_t parent; /* 0: not known */
	const char *parent_name; /* as the kernel shows it: "sh"; NULL when not known */
};

enum emergency_phase {
	EMERGENCY_PLANNED,
	EMERGENCY_FREEING,  /* not connected yet: stops one process after the other until a slot is
			       free */
	EMERGENCY_STOPPING, /* stops all remaining processes */
	EMERGENCY_ENDING,   /* ends the sessions that outlived their process */
	EMERGENCY_COUNTING,
	EMERGENCY_DONE,
};

/* What is left of the application, as counted at the end. */
struct emergency_left {
	int32_t backend;     /* 0: a process whose sessions we do not see */
	int32_t process_pid; /* 0: none, or not known */
	const char *name;    /* the process's name, else the application's; NULL */
	uint32_t connections;
	const char *why;
};

/* Sessions are ended in rounds: a session may change between its assessment and the action. */
#define EMERGENCY_ROUNDS_MAX 16

/* The steps of its action are the processes at the other ends of the server's connections: those to
 * be stopped are selected and come first, the others are left alone. */
struct emergency {
	struct action action; /* its arena owns everything here but the other actions */
	bool connected;       /* planned with a connection; else from sockets alone */
	bool has_room; /* only the limit of dbtop's role or database is reached, not the server's */
	bool only_named; /* of the processes only those that were chosen one by one are stopped, and
			    no session is ended but theirs and the ticked ones */
	struct action *gone; /* sessions whose client is gone already: these are ended, too */
	/* connections of the processes to be stopped, to show what is lost */
	struct action *held;
	struct findings_host *hosts; /* other machines: nothing of theirs is stopped from here */
	size_t n_hosts;

	enum emergency_phase phase;
	struct action *rounds[EMERGENCY_ROUNDS_MAX];
	size_t n_rounds;
	struct emergency_left *left;
	size_t n_left;
	int counted;        /* connections of the application at the end; −1: not known */
	const char *cannot; /* why it could not continue, or not count; NULL */
	bool interrupted;
};

/* Said of an emergency with room: why nothing is ticked, and what to do. */
#define EMERGENCY_HAS_ROOM                                                                         \
	"the server has room: only dbtop's role or database has reached its limit; connect "       \
	"as another one (-U, or user=)"

/* Frees it and the plans; NULL is allowed. */
void emergency_free(struct emergency *emergency);

/* The process with this identity, or NULL. */
struct action_step *emergency_find(
	const struct emergency *emergency, int32_t pid, uint64_t start_ticks);

/* Ticks or unticks a process; false: it is left alone for another reason, and stays so. */
bool emergency_tick(struct emergency *emergency, size_t process);
/* Ticks all that can be ticked, or unticks all if all of them are ticked. */
void emergency_tick_all(struct emergency *emergency);
/* Unticks all processes, and the sessions whose client is gone. */
void emergency_untick(struct emergency *emergency);

#define EMERGENCY_TICKED_MAX 160

/* "only worker (4312) is ticked; * ticks all 5": if not all that can be ticked are; else "".
 * Returns text. */
char *emergency_ticked(const struct emergency *emergency, char text[static EMERGENCY_TICKED_MAX]);

/* How many connections the processes to be stopped have. */
size_t emergency_count_connections(const struct emergency *emergency);

#define EMERGENCY_LOSES_MAX 160

/* "2 open transactions, 1 running statement, 5 locks, 1 waits": what is lost with a process, as far
 * as its sessions are known; "" for nothing. Returns text. */
char *emergency_loses(const struct emergency *emergency, const struct action_step *step,
	char text[static EMERGENCY_LOSES_MAX]);

/* Calls back for each session that was planned to be ended, with the target of the last round that
 * had it. In the order of the rounds. */
void emergency_each_session(const struct emergency *emergency,
	void (*each)(void *data, const struct action_step *step), void *data);

/* How many sessions that is, and how many of them were ended. */
void emergency_count_sessions(
	const struct emergency *emergency, size_t *ret_all, size_t *ret_ended);

/* "freeing a slot" */
const char *emergency_phase_name(enum emergency_phase phase);

#endif
