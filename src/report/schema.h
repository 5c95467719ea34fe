/* A snapshot of --json: the tables of its fields, and the structs that they write from and read
 * into.
 *
 * A new field is a row in schema.c, and in docs/json.md. If no struct here has its value yet, it
 * also needs a member that snapshot.c fills, and decode.c keeps if --replay is to show it. */
#ifndef REPORT_SCHEMA_H
#define REPORT_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "model/assessment.h"
#include "model/bouncer.h"
#include "model/pool.h"
#include "model/proxy.h"
#include "report/json_field.h"

struct server_row {
	struct server_state state;
	const char *sqlstate;
	int version;
	int64_t started_at, clock, age;
};

struct proxy_row {
	bool present;
	enum proxy_status status;
	int32_t pid, port;
	int64_t latency;
	const char *detail;
};

struct slots_row {
	struct slots slots;
	struct json_array limits; /* struct slot_limit */
};

struct snapshot_row {
	int schema;
	int64_t taken_at;
	struct server_row server;
	struct slots_row slots;
	struct proxy_row proxy;
	struct rules_limits limits;
	bool complete;
};

/* The process of a connection or a waiter. It only identifies it: decode.c finds the rest in
 * "processes". */
struct owner_row {
	bool present;
	struct process process;
	int shared_by;
	int64_t network; /* the inode of its network namespace; −1: ours, or not known */
	enum matched_by matched_by;
	int32_t forwarder;
	struct json_array may_be; /* of struct far_process */
};

struct slot_row {
	bool present;
	int32_t page;
	const char *name, *path; /* of the page */
	struct pool_slot slot;
	int64_t held;
};

/* The link through PgBouncer of a connection or a waiter. */
struct link_row {
	bool present;
	const char *pool, *address, *mode;
	bool linked;
	struct bouncer_client client;
};

struct connection_row {
	struct backend backend;
	struct connection connection;
	struct owner_row owner;
	struct slot_row slot;
	struct link_row link;
};

struct waiter_row {
	struct link_row link;
	struct owner_row owner;
};

struct page_hook_row {
	const char *name;
	enum pool_hook_phase phase;
	enum pool_hook_state state;
	int64_t duration;
};

struct outbox_row {
	bool present;
	struct pool_outbox outbox;
	int64_t oldest; /* age */
};

struct login_row {
	struct owner_row owner;
	struct endpoint client;
	uint32_t count;
};

/* A pool of either kind. */
struct pool_row {
	const char *kind, *name, *address;
	int64_t age;
	struct pool_page page;
	struct json_array hooks; /* struct page_hook_row */
	struct outbox_row outbox;
	bool elsewhere, unsure, spent, process_unseen;
	struct bouncer_pool bouncer;
};

struct source_row {
	struct source_state state;
	int64_t age;
};

enum snapshot_list {
	LIST_CONNECTIONS,
	LIST_PROCESSES,
	LIST_POOLS,
	LIST_SOURCES,
	LIST_WAITERS,
	LIST_LOGINS,
};

extern const struct json_table snapshot_table;
extern const struct json_table connection_table;
extern const struct json_table process_table;
/* The two kinds of "pools"; the table of an element is read into the same struct. */
extern const struct json_table page_table, bouncer_table;
extern const struct json_table source_table;
extern const struct json_table waiter_table;
extern const struct json_table login_table;

#endif
