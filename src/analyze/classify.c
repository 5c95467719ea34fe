/* The rules of docs/verdicts.md in their order: firm protections, proofs, what the pool reports,
 * soft protections, ages. */
#include "analyze/classify.h"

#include <stddef.h>

#include "base/instant.h"
#include "model/activity.h"
#include "model/rules.h"

static const enum status status_of_state[] = {
	[BACKEND_STATE_UNKNOWN] = STATUS_UNKNOWN,
	[BACKEND_STATE_STARTING] = STATUS_ACTIVE,
	[BACKEND_STATE_ACTIVE] = STATUS_ACTIVE,
	[BACKEND_STATE_FASTPATH] = STATUS_ACTIVE,
	[BACKEND_STATE_IDLE] = STATUS_IDLE,
	[BACKEND_STATE_IN_TRANSACTION] = STATUS_IDLE_IN_TRANSACTION,
	[BACKEND_STATE_IN_ABORTED_TRANSACTION] = STATUS_IDLE_IN_TRANSACTION,
};

/* Firm protections: they apply even if a leak is proven. */
static enum protection firm_protection(
	const struct backend *backend, const struct evidence *evidence, const struct rules *rules)
{
	if (evidence->own)
		return PROTECTION_OWN;
	if (backend->kind == BACKEND_WALSENDER || backend->kind == BACKEND_OTHER ||
		evidence->agent || rules_is_service_user(backend->user))
		return PROTECTION_SYSTEM;
	if (patterns_match(&rules->protected_applications, backend->application_name) ||
		patterns_match(&rules->protected_processes, evidence->process_name))
		return PROTECTION_APPLICATION;
	if (patterns_match(&rules->protected_users, backend->user))
		return PROTECTION_USER;
	return PROTECTION_NONE;
}

static bool is_at_rest(enum status status)
{
	return status == STATUS_IDLE || status == STATUS_IDLE_IN_TRANSACTION;
}

/* These apply to declared leaks as well as to presumed ones. */
static enum protection lasting_protection(const struct evidence *evidence)
{
	if (evidence->backup)
		return PROTECTION_BACKUP;
	return evidence->listening ? PROTECTION_LISTENER : PROTECTION_NONE;
}

/* These apply to presumed leaks only. An open transaction belongs to a client, even if it is not
 * known which. */
static enum protection soft_protection(
	const struct backend *backend, const struct evidence *evidence, enum status status)
{
	if (evidence->backend_client && is_at_rest(status))
		return PROTECTION_BACKEND_CLIENT;
	if (evidence->pool_reserve && status == STATUS_IDLE)
		return PROTECTION_POOL_RESERVE;
	if (evidence->bouncer_reserve && status == STATUS_IDLE)
		return PROTECTION_PGBOUNCER_SERVER;
	if (evidence->pooler && status == STATUS_IDLE)
		return PROTECTION_POOLER;
	if (backend->advisory_lock)
		return PROTECTION_ADVISORY_LOCK;
	return PROTECTION_NONE;
}

/* A lock that outlives a transaction is the session's, and in a pool's reserve the session has no
 * client. It took the lock before it came to rest, so it has held it for longer than that. */
static bool is_lock_stranded(const struct backend *backend, const struct evidence *evidence,
	enum status status, int64_t age, const struct rules *rules)
{
	bool reserve = evidence->pool_reserve || (evidence->bouncer_reserve && !evidence->linked);
	return reserve && status == STATUS_IDLE && backend->advisory_lock &&
		backend->lock_waiters && age > rules->idle;
}

/* How sure it is that the connection is held for too long: it is borrowed for longer than the
 * limit, and has been without a statement for longer, too. A borrower that works is no leak. The
 * user's limit overrides the pool's; only the pool's own, or a longer one, makes it declared. */
static enum certainty held_too_long(
	const struct evidence *evidence, enum status status, int64_t age, const struct rules *rules)
{
	bool own_limit = rules->held == RULES_NO_LIMIT;
	int64_t limit = own_limit ? evidence->held_limit : rules->held;
	bool exceeded = evidence->held > limit || (own_limit && evidence->held_reported);
	if (limit <= 0 || evidence->held < 0 || !exceeded || !is_at_rest(status) || age <= limit)
		return CERTAINTY_NONE;
	return evidence->held_limit <= 0 || limit < evidence->held_limit ? CERTAINTY_PRESUMED
									 : CERTAINTY_DECLARED;
}

/* What the application's own pool reports. */
static enum reason declared_leak(
	const struct evidence *evidence, enum status status, int64_t age, const struct rules *rules)
{
	if (evidence->declared_gone)
		return REASON_CLIENT_GONE;
	if (held_too_long(evidence, status, age, rules) == CERTAINTY_DECLARED)
		return REASON_HELD_TOO_LONG;
	return REASON_NONE;
}

static enum reason presumed_leak(
	const struct evidence *evidence, enum status status, int64_t age, const struct rules *rules)
{
	if (held_too_long(evidence, status, age, rules) == CERTAINTY_PRESUMED)
		return REASON_HELD_TOO_LONG;
	/* An unknown age is −1, so it exceeds no limit. */
	if (status == STATUS_IDLE_IN_TRANSACTION && age > rules->transaction)
		return REASON_IDLE_IN_TRANSACTION_TOO_LONG;
	if (status == STATUS_IDLE && age > rules->idle)
		return REASON_IDLE_TOO_LONG;
	return REASON_NONE;
}

static struct verdict leaked(enum reason reason, enum certainty certainty, int64_t age)
{
	return (struct verdict){
		.status = STATUS_LEAKED,
		.reason = reason,
		.certainty = certainty,
		.age = age,
	};
}

struct verdict classify_backend(const struct backend *backend, const struct evidence *evidence,
	const struct rules *rules, int64_t server_now)
{
	int64_t age = instant_elapsed(backend->state_change, server_now);
	struct verdict verdict = { .status = status_of_state[backend->state], .age = age };
	if (backend->kind == BACKEND_HIDDEN)
		return (struct verdict){
			.status = STATUS_UNKNOWN,
			.protection = rules_is_service_user(backend->user) ? PROTECTION_SYSTEM
									   : PROTECTION_NONE,
			.age = -1,
		};
	verdict.protection = firm_protection(backend, evidence, rules);
	if (verdict.protection)
		return verdict;
	if (evidence->end == CLIENT_END_GONE)
		return leaked(REASON_CLIENT_GONE, CERTAINTY_PROVEN, age);
	verdict.protection = lasting_protection(evidence);
	if (verdict.protection)
		return verdict;
	enum reason declared = declared_leak(evidence, verdict.status, age, rules);
	if (declared)
		return leaked(declared, CERTAINTY_DECLARED, age);
	if (is_lock_stranded(backend, evidence, verdict.status, age, rules))
		return leaked(REASON_LOCK_STRANDED, CERTAINTY_PRESUMED, age);
	verdict.protection = soft_protection(backend, evidence, verdict.status);
	if (verdict.protection)
		return verdict;
	enum reason reason = presumed_leak(evidence, verdict.status, age, rules);
	if (reason)
		return leaked(reason, CERTAINTY_PRESUMED, age);
	return verdict;
}
