/* The words for the reasons. */
#include "model/skip.h"

static const struct {
	const char *name, *phrase;
} skip_words[SKIP_COUNT] = {
	[SKIP_UNREADABLE] = { "unreadable", "what it is cannot be read" },
	[SKIP_DBTOP] = { "dbtop", "dbtop, or what it was started from" },
	[SKIP_POSTGRESQL] = { "postgresql", "PostgreSQL itself" },
	[SKIP_PARENT] = { "postgresql_parent", "PostgreSQL was started from it" },
	[SKIP_HA_AGENT] = { "ha_agent", "a high-availability agent: it may stop PostgreSQL" },
	[SKIP_PGBOUNCER] = { "pgbouncer", "a pooler: it serves PostgreSQL's clients" },
	[SKIP_PROXY] = { "proxy", "the proxy" },
	[SKIP_SSHD] = { "sshd", "logins and tunnels of others" },
	[SKIP_FORWARDER] = { "forwarder", "it forwards for others" },
	[SKIP_OTHER_USER] = { "other_user", "another user's process" },
	[SKIP_SERVERS_USER] = { "servers_user", "it runs as PostgreSQL's user" },
	[SKIP_PROTECTED] = { "protected", "protected by the settings" },
	[SKIP_CLIENT_PROGRAM] = { "client_program", "a person's tool" },
	[SKIP_OUT_OF_SCOPE] = { "out_of_scope", "out of --app's scope" },
	[SKIP_NOT_NAMED] = { "not_named", "not named" },
	[SKIP_UNTICKED] = { "unticked", "not ticked" },
	[SKIP_NOT_TOLD] = { "not_told", "its application's name is not known" },
};

const char *skip_reason_name(enum skip_reason skip)
{
	return skip_words[skip].name;
}

const char *skip_reason_phrase(enum skip_reason skip)
{
	return skip_words[skip].phrase;
}
