/* Makes the assessment again from a line of a recording (--json), to show it as it
 * was shown then. */
#ifndef REPORT_DECODE_H
#define REPORT_DECODE_H

#include <stddef.h>

#include "report/json_field.h"

struct assessment;

/* Returns 0 with an assessment that the caller frees, or -EINVAL with a text in error. */
int decode(const char *line, size_t length, struct assessment **ret_assessment,
	char error[static JSON_ERROR_MAX]) __attribute__((warn_unused_result));

#endif
