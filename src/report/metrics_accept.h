/* Which format a client of the metrics asks for. */
#ifndef REPORT_METRICS_ACCEPT_H
#define REPORT_METRICS_ACCEPT_H

#include "report/metrics.h"

const char *metrics_content_type(enum metrics_format format);

/* What the header Accept asks for; NULL is none. */
enum metrics_format metrics_accepted(const char *accept);

#endif
