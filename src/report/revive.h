/* Makes the assessment again from a line of a recording (--json), to show it as it
 * was shown then. */
#ifndef REPORT_REVIVE_H
#define REPORT_REVIVE_H

#include <stddef.h>

#include "report/reader.h"

struct assessment;

/* Returns 0 with an assessment that the caller frees, or -EINVAL with a text in error. */
int revive(const char *line, size_t length, struct assessment **ret_assessment,
	char error[static READER_ERROR_MAX]) __attribute__((warn_unused_result));

#endif
