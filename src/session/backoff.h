/* How long to wait before the next attempt to connect. */
#ifndef SESSION_BACKOFF_H
#define SESSION_BACKOFF_H

#include <stdint.h>

#include "model/assessment.h"

/* In ms. `failures` counts the attempts that failed since the last success, without this one. It is
 * up to a quarter more or less than it would be: many dbtops must not come back in step. */
uint64_t backoff_delay(enum server_status status, unsigned failures);

#endif
