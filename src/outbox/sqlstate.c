/* The longest prefix that matches decides. Other codes mean that the write is rejected. */
#include "outbox/sqlstate.h"

#include <string.h>

static const struct {
	const char *prefix;
	enum sqlstate_action action;
} actions[] = {
	{ "25006", SQLSTATE_RECONNECT }, /* read_only_sql_transaction: a standby */
	{ "57014", SQLSTATE_RETRY_FEW }, /* query_canceled: also statement_timeout */
	{ "08", SQLSTATE_RECONNECT },    /* connection exception */
	{ "0A", SQLSTATE_HOLD },         /* feature not supported */
	{ "28", SQLSTATE_HOLD },         /* invalid authorization */
	{ "3D", SQLSTATE_HOLD },         /* no such database */
	{ "3F", SQLSTATE_HOLD },         /* no such schema */
	{ "40", SQLSTATE_RETRY },        /* serialization failure, deadlock */
	{ "42", SQLSTATE_HOLD },         /* no such table or column, no right, syntax error */
	{ "53", SQLSTATE_RETRY },        /* insufficient resources */
	{ "55", SQLSTATE_RETRY },        /* object not in prerequisite state, lock not available */
	{ "57", SQLSTATE_RECONNECT },    /* operator intervention */
	{ "58", SQLSTATE_RETRY },        /* system error */
};

enum sqlstate_action sqlstate_action(const char *sqlstate)
{
	if (!sqlstate || !*sqlstate)
		return SQLSTATE_RECONNECT;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strncmp(sqlstate, actions[i].prefix, strlen(actions[i].prefix)) == 0)
			return actions[i].action;
	return SQLSTATE_REJECT;
}
