/* The rules of the verdicts: limits and protections. Const while dbtop runs. */
#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_IDLE_DEFAULT        (INT64_C(300) * 1000000)
#define RULES_TRANSACTION_DEFAULT (INT64_C(300) * 1000000)
#define RULES_NO_LIMIT            INT64_C(-1)

/* Shell patterns, fnmatch(3) without flags. */
struct patterns {
	const char **items;
	size_t count;
};

struct rules {
	int64_t idle, transaction; /* µs; leaked if longer than the limit, not if equal */
	int64_t held; /* the same, for what is borrowed; RULES_NO_LIMIT: as the pool's page says */
	struct patterns protected_applications, protected_users, protected_processes;
	const regex_t *scope; /* --app: application_name or process name; NULL: all connections */
};

/* Whether the text matches one of the patterns; false for NULL text. */
bool patterns_match(const struct patterns *patterns, const char *text);

/* Whether a role belongs to a managed service itself: cloudsqladmin, rdsadmin, azure_superuser and
 * others. */
bool rules_is_service_user(const char *user);

#endif
