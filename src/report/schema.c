/* Each table has the keys in the order in which they are written. */
#include "report/schema.h"

#include "report/json_rows.h"

WORDS(server_status_word, server_status_name, enum server_status)
WORDS(source_status_word, source_status_name, enum source_status)
WORDS(limit_kind_word, slot_limit_kind_name, enum slot_limit_kind)
WORDS(proxy_status_word, proxy_status_name, enum proxy_status)
WORDS(status_word, status_name, enum status)
WORDS(reason_word, reason_name, enum reason)
WORDS(certainty_word, certainty_name, enum certainty)
WORDS(protection_word, protection_name, enum protection)
WORDS(kind_word, backend_kind_name, enum backend_kind)
WORDS(end_word, client_end_name, enum client_end)
WORDS(matched_by_word, matched_by_name, enum matched_by)
WORDS(page_status_word, pool_page_status_name, enum pool_page_status)
WORDS(fsync_word, pool_fsync_name, enum pool_fsync)
WORDS(slot_state_word, pool_slot_state_name, enum pool_slot_state)
WORDS(hook_phase_word, pool_hook_phase_name, enum pool_hook_phase)
WORDS(hook_state_word, pool_hook_state_name, enum pool_hook_state)

static const struct json_field server_fields[] = {
	{ "host", FIELD_NAME, AT(server_row, state.host) },
	{ "port", FIELD_POSITIVE, AT(server_row, state.port) },
	{ "database", FIELD_NAME, AT(server_row, state.database) },
	{ "version", FIELD_COUNT, AT(server_row, version) },
	{ "started_at", FIELD_INSTANT, AT(server_row, started_at) },
	{ "status", FIELD_WORD, AT(server_row, state.status), server_status_word,
		SERVER_STALE + 1 },
	{ "age_ms", FIELD_MS, AT(server_row, age) },
	{ "error", FIELD_TEXT, AT(server_row, state.error) },
	{ "pooler", FIELD_FLAG, AT(server_row, state.pooler) },
	{ "sqlstate", FIELD_NAME, AT(server_row, sqlstate) },
	{ "hint", FIELD_TEXT, AT(server_row, state.hint) },
	{ "retry_at", FIELD_INSTANT, AT(server_row, state.retry_at) },
	{ "user", FIELD_NAME, AT(server_row, state.user) },
	{ "latency_ms", FIELD_EXACT_MS, AT(server_row, state.latency) },
	{ "clock", FIELD_INSTANT, AT(server_row, clock) },
	{ "name", FIELD_NAME, AT(server_row, state.name) },
};
static const struct json_table server_table = TABLE(server_fields);

static const struct json_field limit_fields[] = {
	{ "kind", FIELD_WORD, AT(slot_limit, kind), limit_kind_word, SLOT_LIMIT_KIND_COUNT },
	{ "name", FIELD_NAME, AT(slot_limit, name) },
	{ "limit", FIELD_COUNT, AT(slot_limit, limit) },
	{ "used", FIELD_COUNT, AT(slot_limit, used) },
	{ "used_at_most", FIELD_COUNT, AT(slot_limit, used_at_most) },
};
static const struct json_table limit_table = TABLE(limit_fields);

static const struct json_field slots_fields[] = {
	{ "max", FIELD_COUNT, AT(slots_row, slots.max) },
	{ "reserved", FIELD_COUNT, AT(slots_row, slots.reserved) },
	{ "used", FIELD_COUNT, AT(slots_row, slots.used) },
	{ "free", FIELD_COUNT, AT(slots_row, slots.free) },
	{ "used_at_most", FIELD_COUNT, AT(slots_row, slots.used_at_most) },
	{ "free_at_least", FIELD_COUNT, AT(slots_row, slots.free_at_least) },
	{ "logging_in", FIELD_COUNT, AT(slots_row, slots.logging_in) },
	{ "active", FIELD_COUNT, AT(slots_row, slots.by_status[STATUS_ACTIVE]) },
	{ "idle", FIELD_COUNT, AT(slots_row, slots.by_status[STATUS_IDLE]) },
	{ "idle_in_transaction", FIELD_COUNT,
		AT(slots_row, slots.by_status[STATUS_IDLE_IN_TRANSACTION]) },
	{ "leaked", FIELD_COUNT, AT(slots_row, slots.by_status[STATUS_LEAKED]) },
	{ "unknown", FIELD_COUNT, AT(slots_row, slots.by_status[STATUS_UNKNOWN]) },
	{ "limits", FIELD_ARRAY, AT(slots_row, limits), .table = &limit_table,
		.item_size = sizeof(struct slot_limit) },
};
static const struct json_table slots_table = TABLE(slots_fields);

static const struct json_field far_fields[] = {
	{ "pid", FIELD_INT, AT(far_process, pid) },
	{ "name", FIELD_NAME, AT(far_process, name) },
};
static const struct json_table far_table = TABLE(far_fields);

/* The process of a connection. */
static const struct json_field owner_fields[] = {
	{ "pid", FIELD_INT, AT(owner_row, process.pid) },
	{ "start_ticks", FIELD_TICKS, AT(owner_row, process.start_ticks) },
	{ "name", FIELD_NAME, AT(owner_row, process.name) },
	{ "command", FIELD_NAME, AT(owner_row, process.command) },
	{ "user", FIELD_NAME, AT(owner_row, process.user) },
	{ "unit", FIELD_NAME, AT(owner_row, process.unit) },
	{ "container", FIELD_NAME, AT(owner_row, process.container) },
	{ "host", FIELD_NAME, AT(owner_row, process.host) },
	{ "network_namespace", FIELD_LARGE, AT(owner_row, network) },
	{ "shared_by", FIELD_POSITIVE, AT(owner_row, shared_by) },
	{ "matched_by", FIELD_WORD, AT(owner_row, matched_by), matched_by_word, MATCHED_COUNT },
	{ "forwarder", FIELD_POSITIVE, AT(owner_row, forwarder) },
	{ "may_be", FIELD_ARRAY, AT(owner_row, may_be), .table = &far_table,
		.item_size = sizeof(struct far_process) },
};
static const struct json_table owner_table = TABLE(owner_fields);

static const struct json_field slot_fields[] = {
	{ "page", FIELD_INT, AT(slot_row, page) },
	{ "slot", FIELD_UNSIGNED, AT(slot_row, slot.number) },
	{ "held_seconds", FIELD_SECONDS, AT(slot_row, held) },
	{ "site", FIELD_NAME, AT(slot_row, slot.site) },
	{ "name", FIELD_NAME, AT(slot_row, name) },
	{ "state", FIELD_WORD, AT(slot_row, slot.state), slot_state_word, POOL_SLOT_STATE_COUNT },
	{ "reported", FIELD_FLAG, AT(slot_row, slot.reported) },
	{ "path", FIELD_NAME, AT(slot_row, path) },
};
static const struct json_table slot_table = TABLE(slot_fields);

static const struct json_field link_fields[] = {
	{ "pool", FIELD_NAME, AT(link_row, pool) },
	{ "address", FIELD_NAME, AT(link_row, address) },
	{ "pool_mode", FIELD_NAME, AT(link_row, mode) },
	{ "linked", FIELD_FLAG, AT(link_row, linked) },
	{ "client_addr", FIELD_ADDRESS, AT(link_row, client.remote) },
	{ "client_port", FIELD_PORT, AT(link_row, client.remote) },
	{ "application_name", FIELD_NAME, AT(link_row, client.application_name) },
};
static const struct json_table link_table = TABLE(link_fields);

static const struct json_field connection_fields[] = {
	{ "pid", FIELD_INT, AT(connection_row, backend.pid) },
	{ "backend_start", FIELD_INSTANT, AT(connection_row, backend.start) },
	{ "database", FIELD_NAME, AT(connection_row, backend.database) },
	{ "user", FIELD_NAME, AT(connection_row, backend.user) },
	{ "application_name", FIELD_NAME, AT(connection_row, backend.application_name) },
	{ "client_addr", FIELD_ADDRESS, AT(connection_row, backend.client) },
	{ "client_port", FIELD_PORT, AT(connection_row, backend.client) },
	{ "state", FIELD_NAME, AT(connection_row, backend.state_text) },
	{ "state_change", FIELD_INSTANT, AT(connection_row, backend.state_change) },
	{ "xact_start", FIELD_INSTANT, AT(connection_row, backend.xact_start) },
	{ "query_start", FIELD_INSTANT, AT(connection_row, backend.query_start) },
	{ "wait_event_type", FIELD_NAME, AT(connection_row, backend.wait_event_type) },
	{ "wait_event", FIELD_NAME, AT(connection_row, backend.wait_event) },
	{ "query", FIELD_TEXT, AT(connection_row, backend.query) },
	{ "status", FIELD_WORD, AT(connection_row, connection.verdict.status), status_word,
		STATUS_COUNT },
	{ "reason", FIELD_WORD, AT(connection_row, connection.verdict.reason), reason_word,
		REASON_COUNT },
	{ "certainty", FIELD_WORD, AT(connection_row, connection.verdict.certainty), certainty_word,
		CERTAINTY_COUNT },
	{ "protected", FIELD_WORD, AT(connection_row, connection.verdict.protection),
		protection_word, PROTECTION_COUNT },
	{ "seconds", FIELD_SECONDS, AT(connection_row, connection.verdict.age) },
	{ "evidence", FIELD_NAME, AT(connection_row, connection.evidence) },
	{ "waits_for_client_seconds", FIELD_SECONDS,
		AT(connection_row, connection.waits_for_client) },
	{ "process", FIELD_OPTIONAL, AT(connection_row, owner), .table = &owner_table },
	{ "pool", FIELD_OPTIONAL, AT(connection_row, slot), .table = &slot_table },
	{ "pgbouncer", FIELD_OPTIONAL, AT(connection_row, link), .table = &link_table },
	{ "kind", FIELD_WORD, AT(connection_row, backend.kind), kind_word, BACKEND_KIND_COUNT },
	{ "client_end", FIELD_WORD, AT(connection_row, connection.end), end_word,
		CLIENT_END_COUNT },
};
const struct json_table connection_table = TABLE(connection_fields);

static const struct json_field process_fields[] = {
	{ "pid", FIELD_INT, AT(client_process, process.pid) },
	{ "name", FIELD_NAME, AT(client_process, process.name) },
	{ "command", FIELD_NAME, AT(client_process, process.command) },
	{ "user", FIELD_NAME, AT(client_process, process.user) },
	{ "host", FIELD_NAME, AT(client_process, process.host) },
	{ "cpu_percent", FIELD_PERCENT, AT(client_process, process.cpu_percent) },
	{ "rss_bytes", FIELD_LARGE, AT(client_process, process.rss_bytes) },
	{ "connections", FIELD_UNSIGNED, AT(client_process, connections) },
	{ "leaked", FIELD_UNSIGNED, AT(client_process, leaked) },
	{ "alive", FIELD_FLAG, AT(client_process, alive) },
	{ "start_ticks", FIELD_TICKS, AT(client_process, process.start_ticks) },
	{ "started_at", FIELD_INSTANT, AT(client_process, process.started_at) },
	{ "ended_at", FIELD_INSTANT, AT(client_process, process.ended_at) },
	{ "unit", FIELD_NAME, AT(client_process, process.unit) },
	{ "container", FIELD_NAME, AT(client_process, process.container) },
	{ "image", FIELD_NAME, AT(client_process, process.image) },
};
const struct json_table process_table = TABLE(process_fields);

static const struct json_field hook_fields[] = {
	{ "name", FIELD_NAME, AT(page_hook_row, name) },
	{ "phase", FIELD_WORD, AT(page_hook_row, phase), hook_phase_word, POOL_HOOK_PHASE_COUNT },
	{ "state", FIELD_WORD, AT(page_hook_row, state), hook_state_word, POOL_HOOK_STATE_COUNT },
	{ "ms", FIELD_MS, AT(page_hook_row, duration) },
};
static const struct json_table hook_table = TABLE(hook_fields);

static const struct json_field outbox_fields[] = {
	{ "waiting", FIELD_LARGE, AT(outbox_row, outbox.waiting) },
	{ "rejected", FIELD_LARGE, AT(outbox_row, outbox.rejected) },
	{ "oldest_seconds", FIELD_SECONDS, AT(outbox_row, oldest) },
	{ "fsync", FIELD_WORD, AT(outbox_row, outbox.fsync), fsync_word, POOL_FSYNC_COUNT },
};
static const struct json_table outbox_table = TABLE(outbox_fields);

static const struct json_field page_fields[] = {
	{ "kind", FIELD_NAME, AT(pool_row, kind) },
	{ "name", FIELD_NAME, AT(pool_row, name) },
	{ "pid", FIELD_POSITIVE, AT(pool_row, page.pid) },
	{ "phase", FIELD_NAME, AT(pool_row, page.phase) },
	{ "in_use", FIELD_COUNT, AT(pool_row, page.in_use) },
	{ "idle", FIELD_COUNT, AT(pool_row, page.idle) },
	{ "min", FIELD_COUNT, AT(pool_row, page.min) },
	{ "max", FIELD_COUNT, AT(pool_row, page.max) },
	{ "waiting", FIELD_COUNT, AT(pool_row, page.waiting) },
	{ "acquired_total", FIELD_TOTAL, AT(pool_row, page.acquired_total) },
	{ "timeouts", FIELD_TOTAL, AT(pool_row, page.timeouts) },
	{ "errors", FIELD_TOTAL, AT(pool_row, page.errors) },
	{ "wait_p99_ms", FIELD_EXACT_MS, AT(pool_row, page.wait_p99) },
	{ "held_max_seconds", FIELD_SECONDS, AT(pool_row, page.held_max) },
	{ "pending_writes", FIELD_LARGE, AT(pool_row, page.pending_writes) },
	{ "lost_slots", FIELD_TOTAL, AT(pool_row, page.lost_slots) },
	{ "hooks", FIELD_ARRAY, AT(pool_row, hooks), .table = &hook_table,
		.item_size = sizeof(struct page_hook_row) },
	{ "outbox", FIELD_OPTIONAL, AT(pool_row, outbox), .table = &outbox_table },
	{ "uptime_seconds", FIELD_SECONDS, AT(pool_row, page.uptime) },
	{ "age_ms", FIELD_MS, AT(pool_row, age) },
	{ "held_max_site", FIELD_NAME, AT(pool_row, page.held_site) },
	{ "held_limit_seconds", FIELD_SECONDS, AT(pool_row, page.held_limit) },
	{ "server", FIELD_NAME, AT(pool_row, page.server) },
	{ "page_status", FIELD_WORD, AT(pool_row, page.status), page_status_word,
		POOL_PAGE_STATUS_COUNT },
	{ "path", FIELD_NAME, AT(pool_row, page.path) },
	{ "error", FIELD_NAME, AT(pool_row, page.error) },
	{ "elsewhere", FIELD_FLAG, AT(pool_row, elsewhere) },
	{ "nothing_left", FIELD_FLAG, AT(pool_row, spent) },
	{ "host", FIELD_NAME, AT(pool_row, page.host) },
	{ "process_unseen", FIELD_FLAG, AT(pool_row, process_unseen) },
	{ "start_ticks", FIELD_TICKS, AT(pool_row, page.start_ticks) },
	{ "server_unsure", FIELD_FLAG, AT(pool_row, unsure) },
};
const struct json_table page_table = TABLE(page_fields);

static const struct json_field bouncer_fields[] = {
	{ "kind", FIELD_NAME, AT(pool_row, kind) },
	{ "name", FIELD_NAME, AT(pool_row, name) },
	{ "address", FIELD_NAME, AT(pool_row, address) },
	{ "pool_mode", FIELD_NAME, AT(pool_row, bouncer.mode_text) },
	{ "clients_active", FIELD_COUNT, AT(pool_row, bouncer.clients_active) },
	{ "clients_waiting", FIELD_COUNT, AT(pool_row, bouncer.clients_waiting) },
	{ "servers_active", FIELD_COUNT, AT(pool_row, bouncer.servers_active) },
	{ "servers_idle", FIELD_COUNT, AT(pool_row, bouncer.servers_idle) },
	{ "max_wait_seconds", FIELD_SECONDS, AT(pool_row, bouncer.max_wait) },
	{ "servers_max", FIELD_COUNT, AT(pool_row, bouncer.servers_max) },
	{ "servers_other", FIELD_COUNT, AT(pool_row, bouncer.servers_other) },
	{ "average_wait_ms", FIELD_EXACT_MS, AT(pool_row, bouncer.average_wait) },
	{ "paused", FIELD_FLAG, AT(pool_row, bouncer.paused) },
	{ "disabled", FIELD_FLAG, AT(pool_row, bouncer.disabled) },
	{ "age_ms", FIELD_MS, AT(pool_row, age) },
};
const struct json_table bouncer_table = TABLE(bouncer_fields);

static const struct json_field proxy_fields[] = {
	{ "status", FIELD_WORD, AT(proxy_row, status), proxy_status_word, PROXY_SERVING + 1 },
	{ "pid", FIELD_POSITIVE, AT(proxy_row, pid) },
	{ "port", FIELD_INT, AT(proxy_row, port) },
	{ "latency_ms", FIELD_EXACT_MS, AT(proxy_row, latency) },
	{ "detail", FIELD_NAME, AT(proxy_row, detail) },
};
static const struct json_table proxy_table = TABLE(proxy_fields);

static const struct json_field source_fields[] = {
	{ "name", FIELD_NAME, AT(source_row, state.name) },
	{ "status", FIELD_WORD, AT(source_row, state.status), source_status_word,
		SOURCE_FAILED + 1 },
	{ "age_ms", FIELD_MS, AT(source_row, age) },
	{ "error", FIELD_TEXT, AT(source_row, state.error) },
};
const struct json_table source_table = TABLE(source_fields);

static const struct json_field limits_fields[] = {
	{ "idle_seconds", FIELD_SECONDS, AT(rules_limits, idle) },
	{ "transaction_seconds", FIELD_SECONDS, AT(rules_limits, transaction) },
	{ "held_seconds", FIELD_SECONDS, AT(rules_limits, held) },
};
static const struct json_table limits_table = TABLE(limits_fields);

static const struct json_field waiter_process_fields[] = {
	{ "pid", FIELD_INT, AT(owner_row, process.pid) },
	{ "start_ticks", FIELD_TICKS, AT(owner_row, process.start_ticks) },
	{ "name", FIELD_NAME, AT(owner_row, process.name) },
	{ "command", FIELD_NAME, AT(owner_row, process.command) },
};
static const struct json_table waiter_process_table = TABLE(waiter_process_fields);

static const struct json_field waiter_fields[] = {
	{ "pool", FIELD_NAME, AT(waiter_row, link.pool) },
	{ "address", FIELD_NAME, AT(waiter_row, link.address) },
	{ "seconds", FIELD_SECONDS, AT(waiter_row, link.client.wait) },
	{ "client_addr", FIELD_ADDRESS, AT(waiter_row, link.client.remote) },
	{ "client_port", FIELD_PORT, AT(waiter_row, link.client.remote) },
	{ "application_name", FIELD_NAME, AT(waiter_row, link.client.application_name) },
	{ "process", FIELD_OPTIONAL, AT(waiter_row, owner), .table = &waiter_process_table },
};
const struct json_table waiter_table = TABLE(waiter_fields);

static const struct json_field login_process_fields[] = {
	{ "pid", FIELD_INT, AT(owner_row, process.pid) },
	{ "name", FIELD_NAME, AT(owner_row, process.name) },
	{ "start_ticks", FIELD_TICKS, AT(owner_row, process.start_ticks) },
	{ "command", FIELD_NAME, AT(owner_row, process.command) },
};
static const struct json_table login_process_table = TABLE(login_process_fields);

static const struct json_field login_fields[] = {
	{ "process", FIELD_OPTIONAL, AT(login_row, owner), .table = &login_process_table },
	{ "count", FIELD_UNSIGNED, AT(login_row, count) },
	{ "client_addr", FIELD_ADDRESS, AT(login_row, client) },
};
const struct json_table login_table = TABLE(login_fields);

static const struct json_field snapshot_fields[] = {
	{ "schema", FIELD_COUNT, AT(snapshot_row, schema) },
	{ "taken_at", FIELD_INSTANT, AT(snapshot_row, taken_at) },
	{ "server", FIELD_OBJECT, AT(snapshot_row, server), .table = &server_table },
	{ "slots", FIELD_OBJECT, AT(snapshot_row, slots), .table = &slots_table },
	{ "connections", FIELD_LIST, LIST_CONNECTIONS },
	{ "processes", FIELD_LIST, LIST_PROCESSES },
	{ "pools", FIELD_LIST, LIST_POOLS },
	{ "logging_in", FIELD_LIST, LIST_LOGINS },
	{ "proxy", FIELD_OPTIONAL, AT(snapshot_row, proxy), .table = &proxy_table },
	{ "sources", FIELD_LIST, LIST_SOURCES },
	{ "limits", FIELD_OBJECT, AT(snapshot_row, limits), .table = &limits_table },
	{ "settled", FIELD_FLAG, AT(snapshot_row, complete) },
	{ "waiting", FIELD_LIST, LIST_WAITERS },
};
const struct json_table snapshot_table = TABLE(snapshot_fields);
