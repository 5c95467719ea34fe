/* The file's tables:
 *
 *   outbox         one row: the outbox's name on the server
 *   epochs         place (order), epoch (random), pruned (sent writes up to here are not kept)
 *   writes         pending and kept ones, by id: the epoch's place in the high bits, the sequence
 *                  in the low ones
 *   confirmations  what the server had applied of an epoch, and when we knew it
 *   rejected       what it refused, and why
 *
 * What the server confirmed needs no sync: if a power loss takes it, the server reports it again.
 */
#include "outbox/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "outbox/dboutbox.h"
#include "outbox/error.h"

#define APPLICATION_ID 0x64626f78 /* "dbox" */
#define LAYOUT         1

static const char layout_sql[] =
	"BEGIN;"
	"CREATE TABLE outbox (id TEXT NOT NULL, synced INTEGER NOT NULL);"
	"CREATE TABLE epochs (place INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL "
	"UNIQUE,"
	" pruned INTEGER NOT NULL);"
	"CREATE TABLE writes (id INTEGER PRIMARY KEY, written_at INTEGER NOT NULL,"
	" statements BLOB NOT NULL);"
	"CREATE TABLE confirmations (place INTEGER NOT NULL, sequence INTEGER NOT NULL,"
	" at INTEGER NOT NULL, PRIMARY KEY (place, sequence)) WITHOUT ROWID;"
	"CREATE TABLE rejected (id INTEGER PRIMARY KEY, written_at INTEGER NOT NULL,"
	" rejected_at INTEGER NOT NULL, sqlstate TEXT NOT NULL, message TEXT NOT NULL,"
	" sql TEXT NOT NULL, statements BLOB NOT NULL);"
	"INSERT INTO outbox VALUES (lower(hex(randomblob(16))), 0);"
	"PRAGMA user_version = 1;"            /* LAYOUT */
	"PRAGMA application_id = 1684172664;" /* APPLICATION_ID */
	"COMMIT";

int layout_read_number(const struct database *database, const char *sql, int64_t *ret_number)
{
	sqlite3_stmt *statement;
	int r = database_prepare(database, sql, &statement);
	if (r != 0)
		return r;
	int code = sqlite3_step(statement);
	r = database_result(database, code, "cannot read the outbox");
	*ret_number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return r;
}

/* Creates the tables in a new file, and refuses what is not an outbox. */
static int check_layout(const struct database *database, const char *path)
{
	int64_t application, layout, tables;
	int r = layout_read_number(database, "PRAGMA application_id", &application);
	if (r == 0)
		r = layout_read_number(database, "PRAGMA user_version", &layout);
	if (r == 0)
		r = layout_read_number(database, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r != 0)
		return r;
	if (application == 0 && tables == 0)
		return database_exec(database, layout_sql);
	if (application != APPLICATION_ID)
		return outbox_fail(DBOUTBOX_DAMAGED, "%s is not an outbox", path);
	if (layout > LAYOUT)
		return outbox_fail(DBOUTBOX_LAYOUT,
			"%s has layout %" PRId64 "; this version of libdboutbox knows %d", path,
			layout, LAYOUT);
	return 0;
}

static int read_id(const struct database *database, char *ret_id)
{
	sqlite3_stmt *statement;
	int r = database_prepare(database, "SELECT id FROM outbox", &statement);
	if (r != 0)
		return r;
	int code = sqlite3_step(statement);
	r = database_result(database, code, "cannot read the outbox");
	const unsigned char *id = sqlite3_column_text(statement, 0);
	if (r == 0 && (!id || strlen((const char *)id) != LAYOUT_ID_MAX - 1))
		r = outbox_fail(DBOUTBOX_DAMAGED, "the outbox has no name");
	if (r == 0)
		memcpy(ret_id, id, LAYOUT_ID_MAX);
	(void)sqlite3_finalize(statement);
	return r;
}

static int draw_epoch(const struct database *database)
{
	int64_t epoch;
	if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch))
		return outbox_fail(-errno, "cannot draw a random number: %s", strerror(errno));
	epoch = (epoch & INT64_MAX) | 1;
	char sql[128];
	snprintf(sql, sizeof(sql), "INSERT INTO epochs (epoch, pruned) VALUES (%" PRId64 ", 0)",
		epoch);
	return database_exec(database, sql);
}

/* Epochs that have no writes any more are needed only while the server may still lose what it
 * confirmed. */
static int forget_epochs(const struct database *database, int64_t before)
{
	char sql[512];
	snprintf(sql, sizeof(sql),
		"DELETE FROM epochs WHERE NOT EXISTS (SELECT 1 FROM writes"
		"  WHERE id > place << 40 AND id < (place + 1) << 40)"
		" AND coalesce((SELECT max(at) FROM confirmations"
		"  WHERE confirmations.place = epochs.place), 0) < %" PRId64 ";"
		"DELETE FROM confirmations WHERE place NOT IN (SELECT place FROM epochs)",
		before);
	return database_exec(database, sql);
}

int layout_open(struct database *database, const char *path, int64_t forget_before,
	char ret_id[static LAYOUT_ID_MAX])
{
	int r = database_settle(database, true);
	if (r == 0)
		r = check_layout(database, path);
	if (r == 0)
		r = read_id(database, ret_id);
	if (r == 0)
		r = forget_epochs(database, forget_before);
	return r == 0 ? draw_epoch(database) : r;
}
