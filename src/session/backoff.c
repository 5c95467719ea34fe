#include "session/backoff.h"

#include <stdlib.h>

#define FIRST_MS  250
#define LAST_MS   15000
#define FULL_MS   1000  /* a slot may become free at any moment */
#define DENIED_MS 30000 /* each attempt is a line in the server's log, and may lock us out */

/* After this many failures the doubled FIRST_MS would be longer than LAST_MS. */
#define DOUBLINGS 6

uint64_t backoff_delay(enum server_status status, unsigned failures)
{
	uint64_t delay = LAST_MS;
	if (status == SERVER_FULL || status == SERVER_ROLE_LIMIT || status == SERVER_DATABASE_LIMIT)
		delay = FULL_MS;
	else if (status == SERVER_DENIED)
		delay = DENIED_MS;
	else if (failures < DOUBLINGS)
		delay = (uint64_t)FIRST_MS << failures;
	return delay * 3 / 4 + (uint64_t)random() % (delay / 2 + 1);
}
