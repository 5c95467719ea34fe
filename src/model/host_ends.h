/* What the dbtop of another machine says about client ends there: which process holds each. Plain
 * data, const once published.
 *
 * A block is the sum of all answers of one run of the agent about one server: an answer has only
 * what has changed since the one before. */
#ifndef MODEL_HOST_ENDS_H
#define MODEL_HOST_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct arena;
struct pool_page;
struct process;

/* A host speaks for no more addresses; further ones of its name are not taken. */
#define HOST_ADDRESSES_MOST 64

/* A client end that a host is asked about: of a TCP connection, or of a connection over a Unix
 * socket, which is known by the pid of its backend. */
struct asked_end {
	struct endpoint client; /* AF_INET, AF_INET6 or AF_UNIX */
	int32_t backend;        /* AF_UNIX: the backend's pid at the server; else 0 */
};

enum host_end_state {
	HOST_END_UNKNOWN, /* not scanned, or the scan proves nothing */
	HOST_END_HELD,    /* a process has it open */
	HOST_END_HIDDEN,  /* it is open, but the agent may not see who has it */
	HOST_END_NONE,    /* no process of the host has such a socket open */
};
#define HOST_END_STATE_COUNT (HOST_END_NONE + 1)

struct host_end {
	struct asked_end end;
	enum host_end_state state;
	uint32_t process; /* index into processes: it holds the end, or held it last;
			     UINT32_MAX: none */
	int shared_by;    /* how many processes have it open; 0: not known */
};

struct host_ends {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	const char *name; /* of the host, as the user gave it */
	bool by_command;  /* a command of the configuration leads there, and not ssh */
	uint64_t run;     /* one boot and one run of the agent, in which it did not forget the ends:
			     differs between any two of them */
	bool is_news;     /* the last answer changed something of what follows, but for the times */
	uint64_t number;  /* of the answer within the run */
	int64_t asked_at, answered_at; /* monotonic: before the question was sent, and after the
					  answer came. The host's scan was in between */
	struct endpoint own;           /* our own client end, as the question named it */
	int64_t taken_at;              /* answered_at by the wall clock */
	struct endpoint *addresses;    /* those that it speaks for; the port is 0 */
	size_t n_addresses;
	struct endpoint *interfaces; /* those that it says it has. They only make an address
					ambiguous */
	size_t n_interfaces;
	/* The process that holds the server's end of our own connection; pid 0: none is visible
	 * there. By its pid at the server and by the host's clock, it is our own backend or not. */
	int32_t server_pid;
	int64_t server_started_at;
	struct host_end *ends;
	size_t n_ends;
	struct process *processes; /* `host` is set */
	uint32_t *process_ids;     /* the agent's number of each */
	size_t n_processes;
	struct pool_page *pages; /* of these processes; `host` and `process` are set, and the path
				    begins with the host's name */
	uint32_t *page_ids;      /* the agent's number of each */
	size_t n_pages;
	bool pages_left_out; /* there are more than it sends */
};

struct host_ends *host_ends_new(void) __attribute__((returns_nonnull));
struct host_ends *host_ends_ref(const struct host_ends *ends);
/* Drops a reference; NULL is allowed. */
void host_ends_unref(const struct host_ends *ends);

uint64_t asked_end_key(const struct asked_end *end);
bool asked_end_equal(const struct asked_end *a, const struct asked_end *b);

/* "held", "none" */
const char *host_end_state_name(enum host_end_state state);

#endif
