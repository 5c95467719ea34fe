/* report/decode: a line of a recording, which anybody may have edited. */
#include <string.h>

#include "fuzz.h"
#include "model/assessment.h"
#include "report/decode.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct assessment *assessment = NULL;
	char error[JSON_ERROR_MAX] = "";
	if (decode((const char *)data, size, &assessment, error) < 0) {
		MUST(!assessment && error[0]);
		MUST(!strchr(error, '\n') && !strchr(error, '\x1b'));
		return false;
	}
	MUST(assessment);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		MUST(connection->backend);
		MUST(connection->process == NO_PROCESS ||
			connection->process < assessment->n_processes);
		MUST(status_name(connection->verdict.status));
	}
	assessment_free(assessment);
	return true;
}
