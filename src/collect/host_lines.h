/* The lines that two dbtops exchange about client ends, one JSON object each.
 *
 *	near: {"dbtop_peers":[1,2]}                           the versions that it speaks
 *	far:  {"version":2,"boot":"…","run":"…"}              the one that is spoken; who answers
 *	near: {"question":1,"target":0,"first":true,"ports":[5432],"own":"10.0.0.9:51234",
 *	       "add":["10.0.0.2:40312","unix:4711"],"drop":[]}
 *	far:  {"answer":1,"target":0,"server":{…},"interfaces":["10.0.0.2"],
 *	       "processes":[{"id":1,"pid":…}],"ends":[{"end":"10.0.0.2:40312","state":"held",…}],
 *	       "clock":…,"pages":[{"id":1,"path":"…",…},{"id":2}]}
 *
 * A question names the ends that are added to those asked before, or dropped; an answer has what
 * has changed since the one before. From version 2 on it lists the stats pages of the processes
 * that hold one of the ends; of a page that has not changed only the number. A target is one
 *server; each has ends of its own. What is read from a line is limited, checked and clean: the
 *other side is not trusted. */
#ifndef COLLECT_HOST_LINES_H
#define COLLECT_HOST_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/host_pages.h"
#include "model/host_ends.h"
#include "model/peers.h"

#define HOST_VERSION       2 /* the newest one */
#define HOST_VERSION_LEAST 1
#define HOST_VERSION_PAGES 2 /* from this one on, answers have stats pages */

/* The longest lines, without their ends. */
#define HOST_HELLO_MOST    ((size_t)1024)
#define HOST_QUESTION_MOST ((size_t)1 << 20)
#define HOST_ANSWER_MOST   ((size_t)8 << 20)

#define HOST_TARGETS_MOST    64
#define HOST_ENDS_MOST       ((size_t)16384) /* of one target */
#define HOST_PROCESSES_MOST  ((size_t)16384) /* of one answer */
#define HOST_INTERFACES_MOST ((size_t)1024)
#define HOST_PORTS_MOST      2

struct host_hello {
	int version;
	const char *boot, *run;
};

struct host_question {
	uint64_t number;
	uint32_t target;
	bool is_first; /* what was asked about the target before is to be forgotten */
	uint16_t ports[HOST_PORTS_MOST]; /* of the server: as we reach it, and as it has it itself
					  */
	size_t n_ports;
	struct endpoint own; /* our own client end as the server sees it; AF_UNSPEC: none */
	struct asked_end *add, *drop;
	size_t n_add, n_drop;
};

/* A process, by a number that the agent gives it. */
struct host_process {
	uint32_t id; /* not 0 */
	struct process process;
};

/* What is said of an end now. */
struct host_change {
	struct asked_end end;
	enum host_end_state state;
	uint32_t process; /* its id; 0: none */
	int shared_by;
};

struct host_answer {
	uint64_t number;
	uint32_t target;
	int32_t server_pid; /* as in struct host_ends */
	int64_t server_started_at;
	bool has_interfaces; /* false: as before */
	struct endpoint *interfaces;
	size_t n_interfaces;
	struct host_process *processes;
	size_t n_processes;
	struct host_change *changes;
	size_t n_changes;
	struct host_pages pages; /* no items: it says nothing of pages */
};

/* Each returns a line without its end, which the caller frees. */
char *host_lines_greeting(void) __attribute__((returns_nonnull));
char *host_lines_hello(const struct host_hello *hello) __attribute__((returns_nonnull));
char *host_lines_refusal(const char *error) __attribute__((returns_nonnull));
char *host_lines_question(const struct host_question *question) __attribute__((returns_nonnull));
char *host_lines_answer(const struct host_answer *answer) __attribute__((returns_nonnull));

/* Each reads a line. The results are in the arena. Returns 0, or a negative errno: -EPROTO if it is
 * no such line; -EPROTONOSUPPORT if the versions have none in common. Then *ret_error says so in
 * one clean line, in the arena. */
int host_lines_read_greeting(struct arena *arena, const char *line, size_t length, int *ret_version,
	const char **ret_error) __attribute__((warn_unused_result));
int host_lines_read_hello(struct arena *arena, const char *line, size_t length,
	struct host_hello *ret_hello, const char **ret_error) __attribute__((warn_unused_result));
int host_lines_read_question(struct arena *arena, const char *line, size_t length,
	struct host_question *ret_question, const char **ret_error)
	__attribute__((warn_unused_result));
int host_lines_read_answer(struct arena *arena, const char *line, size_t length,
	struct host_answer *ret_answer, const char **ret_error) __attribute__((warn_unused_result));

#endif
