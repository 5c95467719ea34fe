/* libpq's event procedure. It runs in the borrower's thread. */
#include "dbpool/usage.h"

#include <libpq-events.h>
#include <string.h>

#include "dbpool/link.h"
#include "dbpool/util.h"
#include "page/writer.h"

static bool tag_changes(const char *tag)
{
	static const char *const harmless[] = { "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE",
		"FETCH", "MOVE", "COPY", "BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK",
		"SAVEPOINT", "RELEASE", "SHOW", "EXPLAIN", "TRUNCATE", "ANALYZE", "VACUUM",
		"NOTIFY", "PREPARE TRANSACTION" };
	if (!*tag)
		return false;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		size_t length = strlen(harmless[i]);
		if (strncmp(tag, harmless[i], length) == 0 &&
			(tag[length] == ' ' || tag[length] == '\0'))
			/* "SELECT 5" contains the number of rows */
			return false;
	}
	return true;
}

/* A statement may have changed the session, as far as its result alone shows. Without rows, the tag
 * SELECT is that of SELECT INTO or CREATE TABLE AS, and no tag that of PQprepare(). */
static bool shows_change(PGresult *result)
{
	const char *tag = PQcmdStatus(result);
	if (PQresultStatus(result) == PGRES_COMMAND_OK && (!*tag || strncmp(tag, "SELECT", 6) == 0))
		return true;
	return tag_changes(tag);
}

static int on_event(PGEventId id, void *info, void *data)
{
	struct pool_link *link = data;
	switch (id) {
	case PGEVT_RESULTCREATE: {
		const PGEventResultCreate *event = info;
		link->used = true;
		if (link->last_result)
			page_set(*link->last_result, now_coarse());
		if (shows_change(event->result))
			link->changed = true;
		break;
	}
	case PGEVT_CONNRESET:
		link->replaced = true; /* PQreset() opened another session */
		/* without a duplicate the link cannot be cut; the release closes it in any case */
		if (link->own_fd >= 0)
			(void)!link_watch(link);
		break;
	case PGEVT_CONNDESTROY: link->finished = true; break;
	default: break;
	}
	return 1;
}

bool usage_watch(struct pool_link *link)
{
	return PQregisterEventProc(link->conn, on_event, "libdbpool", link);
}
