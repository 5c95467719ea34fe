#include "model/advice.h"

#include <stdbool.h>

#include "model/assessment.h"

#define RELOAD " SELECT pg_reload_conf();"

size_t advice_get(const struct assessment *assessment, struct advice ret_advice[static ADVICE_MAX])
{
	if (!assessment->activity || assessment->server.pooler)
		return 0;
	const struct server_facts *facts = &assessment->activity->server;
	const struct {
		bool applies;
		struct advice advice;
	} all[ADVICE_MAX] = {
		{ facts->no_check_interval,
			{ "client_connection_check_interval is 0: "
			  "a statement whose client is gone runs on",
				"ALTER SYSTEM SET client_connection_check_interval = "
				"'10s';" RELOAD } },
		{ facts->no_idle_in_transaction,
			{ "idle_in_transaction_session_timeout is 0: "
			  "a forgotten transaction stays open",
				"ALTER SYSTEM SET idle_in_transaction_session_timeout = "
				"'10min';" RELOAD } },
		{ facts->no_idle_session,
			{ "idle_session_timeout is 0: a forgotten session keeps its slot",
				"ALTER SYSTEM SET idle_session_timeout = '12h';" RELOAD } },
	};
	size_t count = 0;
	for (size_t i = 0; i < ADVICE_MAX; i++)
		if (all[i].applies)
			ret_advice[count++] = all[i].advice;
	return count;
}
