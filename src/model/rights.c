/* Makes sentences from what the server reports about our role. */
#include "model/rights.h"

#include <stdio.h>

#include "model/assessment.h"
#include "model/identifier.h"

static void grant(const struct assessment *assessment, const char *roles, char *text, size_t size)
{
	const char *user = assessment->server.user;
	char name[IDENTIFIER_TEXT_MAX];
	identifier_quote(user ? user : "role", name, sizeof(name));
	snprintf(text, size, "GRANT %s TO %s;", roles, name);
}

void rights_get(const struct assessment *assessment, struct rights *ret_rights)
{
	*ret_rights = (struct rights){ .known = assessment->activity != NULL };
	if (!ret_rights->known)
		return;
	const struct server_facts *facts = &assessment->activity->server;
	bool sees = facts->superuser || facts->sees_all;
	bool ends = facts->superuser || facts->signals;
	ret_rights->sees = sees ? "every session" : "its own sessions alone";
	ret_rights->ends = facts->superuser ? "every session"
		: ends                      ? "every session but superusers'"
					    : "its own sessions alone";
	if (!sees)
		grant(assessment, "pg_monitor", ret_rights->see_grant,
			sizeof(ret_rights->see_grant));
	if (!ends)
		grant(assessment, "pg_signal_backend", ret_rights->end_grant,
			sizeof(ret_rights->end_grant));
}

char *rights_missing(const struct assessment *assessment, char text[static RIGHTS_TEXT_MAX])
{
	struct rights rights;
	char both[RIGHTS_GRANT_MAX];
	rights_get(assessment, &rights);
	text[0] = '\0';
	if (rights.see_grant[0] && rights.end_grant[0]) {
		grant(assessment, "pg_monitor, pg_signal_backend", both, sizeof(both));
		snprintf(text, RIGHTS_TEXT_MAX, "only its own sessions: %s", both);
	} else if (rights.see_grant[0]) {
		snprintf(text, RIGHTS_TEXT_MAX, "this role sees its own sessions alone: %s",
			rights.see_grant);
	} else if (rights.end_grant[0]) {
		snprintf(text, RIGHTS_TEXT_MAX, "this role ends its own sessions alone: %s",
			rights.end_grant);
	}
	return text;
}
