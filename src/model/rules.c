/* Matches patterns, and names the roles of managed services. */
#include "model/rules.h"

#include <fnmatch.h>

#include "base/text.h"

/* Roles of the services themselves: ending one of their sessions harms the service.
 * Cloud SQL: https://cloud.google.com/sql/docs/postgres/users; RDS and Azure: their user guides. */
static const char *const service_users[] = {
	"cloudsqladmin",
	"cloudsqlagent",
	"cloudsqlconnpooladmin",
	"cloudsqlimportexport",
	"cloudsqllogical",
	"cloudsqlobservability",
	"cloudsqlreplica",
	"alloydbadmin",
	"alloydbagent",
	"rdsadmin",
	"rdsrepladmin",
	"azuresu",
	"azure_superuser",
};

bool patterns_match(const struct patterns *patterns, const char *text)
{
	for (size_t i = 0; text && i < patterns->count; i++)
		if (fnmatch(patterns->items[i], text, 0) == 0)
			return true;
	return false;
}

bool rules_is_service_user(const char *user)
{
	return text_is_one_of(
		user, service_users, sizeof(service_users) / sizeof(service_users[0]));
}
