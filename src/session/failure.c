/* Converts libpq's message to a status, a line and a hint. */
#include "session/failure.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

/* The longest prefix that matches counts.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html */
static const struct {
	const char *sqlstate;
	enum server_status status;
	const char *hint;
} codes[] = {
	{ "53300", SERVER_FULL,
		"every slot is taken; E (--emergency) stops the application, dbtop connects as "
		"soon "
		"as one is free" },
	{ "53100", SERVER_REFUSED, "the server's disk is full" },
	{ "53200", SERVER_REFUSED, "the server has no memory left" },
	{ "28P01", SERVER_DENIED, "check the password, or the line for this server in ~/.pgpass" },
	{ "28000", SERVER_DENIED, "check -U, and the server's pg_hba.conf" },
	{ "3D000", SERVER_DENIED, "connect to another database: -d postgres" },
	{ "42501", SERVER_DENIED, "the role may not connect to this database" },
	{ "55000", SERVER_DENIED, "the database takes no connections: name another with -d" },
	{ "57P03", SERVER_REFUSED, "the server is starting up or shutting down" },
	{ "57P01", SERVER_REFUSED, "the server ended our session" },
	{ "57P02", SERVER_REFUSED, "the server crashed, and recovers" },
};

/* The server's routines that say 53300 for another reason than a full server. The name of the
 * routine is the same in every language. */
static const struct {
	const char *routine;
	enum server_status status;
	const char *hint;
} limits[] = {
	{ "InitializeSessionUserId", SERVER_ROLE_LIMIT,
		"the server has room, but not for this role: connect as another one (-U, or "
		"user=)" },
	{ "CheckMyDatabase", SERVER_DATABASE_LIMIT,
		"the server has room, but not in this database: connect to another one (-d)" },
};

#define WRONG_SETTING "mend it in the connection string, the service file or libpq's PG… variable"

/* Phrases for messages without a known SQLSTATE: they come from libpq or the C library because no
 * server was reached, or from PgBouncer. */
static const struct {
	const char *words;
	enum server_status status;
	const char *hint;
} phrases[] = {
	{ "no password supplied", SERVER_DENIED, "the server asks for a password: try -W" },
	{ "could not look up", SERVER_REFUSED, "check the host's name: -h, or PGHOST" },
	{ "definition of service", SERVER_REFUSED,
		"check service (or PGSERVICE), and ~/.pg_service.conf" },
	{ "service file", SERVER_REFUSED,
		"mend the service file: ~/.pg_service.conf, or the file named by PGSERVICEFILE" },
	{ "invalid integer value", SERVER_REFUSED, WRONG_SETTING },
	{ "invalid port number", SERVER_REFUSED, WRONG_SETTING },
	{ " value: \"", SERVER_REFUSED, WRONG_SETTING }, /* invalid sslmode value: "x" */
	{ "could not match", SERVER_REFUSED,
		"host, hostaddr and port are lists: give one port, or one for each host" },
	{ "could not parse network address", SERVER_REFUSED,
		"hostaddr (or PGHOSTADDR) takes addresses; a name is given by -h" },
	{ "Connection refused", SERVER_REFUSED, "is the server running there? try -h and -p" },
	{ "No such file or directory", SERVER_REFUSED,
		"no server listens on that socket: try -h and -p, or start PostgreSQL" },
	{ "did not answer in", SERVER_REFUSED,
		"it hangs, or a firewall is between: check -h and -p, and the network" },
	{ "No route to host", SERVER_REFUSED, "check -h, and the network" },
	{ "Network is unreachable", SERVER_REFUSED, "check -h, and the network" },
	{ "SSL", SERVER_REFUSED, "check sslmode and the certificates" },
	/* from PgBouncer: src/client.c, src/proto.c */
	{ "authentication failed", SERVER_DENIED, "check the user and the password" },
	{ "no such user", SERVER_DENIED, "check the user and the password" },
	{ "not allowed", SERVER_DENIED, "name a user of PgBouncer's stats_users or admin_users" },
	{ "no more connections allowed", SERVER_FULL, NULL },
};

static const char *skip_prefix(const char *message)
{
	/* removes 'connection to server at "h" (1.2.3.4), port 5432 failed: ', which the title
	 * contains, too */
	const char *failed = strstr(message, " failed: ");
	const char *line_end = strchr(message, '\n');
	if (strncmp(message, "connection to server", 20) == 0 && failed &&
		(!line_end || failed < line_end))
		return failed + 9;
	return message;
}

/* "FATAL:  53300: sorry, …": skips the severity and the code, and copies the code to
 * ret_sqlstate. */
static const char *split_sqlstate(const char *line, char ret_sqlstate[static 6])
{
	const char *colon = strstr(line, ":  ");
	if (!colon)
		return line;
	const char *code = colon + 3;
	for (int i = 0; i < 5; i++)
		if (!isdigit((unsigned char)code[i]) && !isupper((unsigned char)code[i]))
			return line;
	if (code[5] != ':')
		return line;
	memcpy(ret_sqlstate, code, 5);
	ret_sqlstate[5] = '\0';
	return code + 6 + strspn(code + 6, " ");
}

/* Returns false for a code without a meaning, such as 08P01, which PgBouncer uses for every
 * error. */
static bool judge_code(struct session_failure *failure)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strncmp(failure->sqlstate, codes[i].sqlstate, strlen(codes[i].sqlstate)) == 0) {
			failure->status = codes[i].status;
			failure->hint = codes[i].hint;
			return true;
		}
	}
	return strcmp(failure->sqlstate, "08P01") != 0;
}

static void judge_words(struct session_failure *failure)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (strstr(failure->text, phrases[i].words)) {
			failure->status = phrases[i].status;
			failure->hint = phrases[i].hint;
			return;
		}
	}
}

/* `message` begins with the line that is shown; "LOCATION:  routine, file.c:12" follows it. */
static void judge_routine(const char *message, struct session_failure *failure)
{
	const char *location = strstr(message, "\nLOCATION:  ");
	if (strcmp(failure->sqlstate, "53300") != 0 || !location)
		return;
	location += strlen("\nLOCATION:  ");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		size_t length = strlen(limits[i].routine);
		if (strncmp(location, limits[i].routine, length) == 0 && location[length] == ',') {
			failure->status = limits[i].status;
			failure->hint = limits[i].hint;
		}
	}
}

/* Chooses the line to show. With several addresses libpq's message has a part for each; the first
 * part with a server's own error says more than "connection refused" of an earlier address. */
static const char *reason_line(const char *message)
{
	for (const char *line = message; line && *line;) {
		char sqlstate[6] = "";
		split_sqlstate(skip_prefix(line), sqlstate);
		if (sqlstate[0])
			return line;
		const char *next = strchr(line, '\n');
		line = next ? next + 1 : NULL;
	}
	return message;
}

struct session_failure failure_read(struct arena *arena, const char *message)
{
	struct session_failure failure = { .status = SERVER_REFUSED };
	const char *line = skip_prefix(reason_line(message));
	line = split_sqlstate(line, failure.sqlstate);
	failure.text = text_clean(arena, line, strcspn(line, "\n"), TEXT_LINE);
	if (!failure.sqlstate[0] || !judge_code(&failure))
		judge_words(&failure);
	judge_routine(line, &failure);
	return failure;
}
