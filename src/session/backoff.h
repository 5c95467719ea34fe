/* The time to wait before the next attempt to connect. */
#ifndef SESSION_BACKOFF_H
#define SESSION_BACKOFF_H

#include <stdint.h>

#include "model/assessment.h"

/* In ms. `failures` is the number of attempts that failed since the last success, without this one.
 * The result varies at random by up to a quarter, so that many dbtops do not reconnect at the same
 * time. */
uint64_t backoff_delay(enum server_status status, unsigned failures);

#endif
