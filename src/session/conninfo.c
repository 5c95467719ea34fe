#include "session/conninfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session/params.h"

/* Makes keyword='value' with ' and \ quoted; the caller wipes and frees it. */
static char *write_conninfo(const struct params *params)
{
	size_t size = 1;
	for (int i = 0; i < params->count; i++)
		size += strlen(params->keywords[i]) + 2 * strlen(params->values[i]) + 4;
	char *text = mem_alloc(size), *end = text;
	for (int i = 0; i < params->count; i++) {
		end = stpcpy(stpcpy(end, params->keywords[i]), "='");
		for (const char *c = params->values[i]; *c; c++) {
			if (*c == '\'' || *c == '\\')
				*end++ = '\\';
			*end++ = *c;
		}
		end = stpcpy(end, "' ");
	}
	*end = '\0';
	return text;
}

static void ignore_notice(void *data, const PGresult *result)
{
	(void)data;
	(void)result;
}

PGconn *conninfo_start(const struct params *params)
{
	char *conninfo = write_conninfo(params);
	PGconn *conn = PQconnectStart(conninfo);
	explicit_bzero(conninfo, strlen(conninfo));
	free(conninfo);
	if (conn) {
		PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
		PQsetNoticeReceiver(conn, ignore_notice, NULL);
	}
	return conn;
}
