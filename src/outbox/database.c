#include "outbox/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "outbox/dboutbox.h"
#include "outbox/error.h"

/* A user who reads the file with sqlite3 may lock it for a moment. */
#define BUSY_MS 5000

#define PATH_LENGTH_MAX 4096

int database_result(const struct database *database, int code, const char *doing)
{
	const char *text = database->db ? sqlite3_errmsg(database->db) : sqlite3_errstr(code);
	switch (code == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_NOMEM: return outbox_fail(-ENOMEM, "%s: out of memory", doing);
	case SQLITE_FULL: return outbox_fail(DBOUTBOX_NO_SPACE, "%s: no space on the disk", doing);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return outbox_fail(DBOUTBOX_BUSY, "%s: another program locks the file", doing);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return outbox_fail(DBOUTBOX_DAMAGED, "%s: %s", doing, text);
	default: break;
	}
	int system = database->db ? sqlite3_system_errno(database->db) : 0;
	if (system == ENOSPC || system == EDQUOT)
		return outbox_fail(DBOUTBOX_NO_SPACE, "%s: %s", doing, strerror(system));
	return outbox_fail(DBOUTBOX_IO, "%s: %s%s%s", doing, text, system ? ": " : "",
		system ? strerror(system) : "");
}

int database_exec(const struct database *database, const char *sql)
{
	return database_result(database, sqlite3_exec(database->db, sql, NULL, NULL, NULL),
		"cannot use the outbox");
}

int database_prepare(const struct database *database, const char *sql, sqlite3_stmt **ret_statement)
{
	int code = sqlite3_prepare_v3(
		database->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL);
	return database_result(database, code, "cannot use the outbox");
}

int database_run(
	const struct database *database, sqlite3_stmt *statement, int n, const int64_t *numbers)
{
	for (int i = 0; i < n; i++)
		(void)sqlite3_bind_int64(statement, i + 1, numbers[i]);
	int code = sqlite3_step(statement);
	int r = database_result(database, code, "cannot write to the outbox");
	(void)sqlite3_reset(statement);
	return r;
}

int database_settle(struct database *database, bool full)
{
	int r = sqlite3_get_autocommit(database->db) ? 0 : database_exec(database, "ROLLBACK");
	if (r != 0 || database->sync == (full ? SYNC_FULL : SYNC_NORMAL))
		return r;
	database->sync = SYNC_UNKNOWN;
	r = database_exec(
		database, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
	if (r == 0)
		database->sync = full ? SYNC_FULL : SYNC_NORMAL;
	return r;
}

int database_begin(struct database *database, bool full)
{
	int r = database_settle(database, full);
	return r == 0 ? database_exec(database, "BEGIN IMMEDIATE") : r;
}

int database_commit(const struct database *database)
{
	int r = database_exec(database, "COMMIT");
	if (r != 0)
		database_roll_back(database);
	return r;
}

void database_roll_back(const struct database *database)
{
	if (!sqlite3_get_autocommit(database->db))
		(void)sqlite3_exec(database->db, "ROLLBACK", NULL, NULL, NULL);
}

static int lock(const char *path, int *ret_lock)
{
	char name[PATH_LENGTH_MAX];
	if ((size_t)snprintf(name, sizeof(name), "%s-lock", path) >= sizeof(name))
		return outbox_fail(DBOUTBOX_IO, "%.100s…: %s", path, strerror(ENAMETOOLONG));
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return outbox_fail(errno == ENOSPC ? DBOUTBOX_NO_SPACE : DBOUTBOX_IO, "%s: %s",
			name, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int why = errno;
		close(fd);
		return why == EWOULDBLOCK
			? outbox_fail(DBOUTBOX_BUSY,
				  "%s is open already, in this process or another one", path)
			: outbox_fail(DBOUTBOX_IO, "%s: %s", name, strerror(why));
	}
	*ret_lock = fd;
	return 0;
}

/* SQLite would create it readable for all. */
static int create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return outbox_fail(errno == ENOSPC ? DBOUTBOX_NO_SPACE : DBOUTBOX_IO, "%s: %s",
			path, strerror(errno));
	close(fd);
	return 0;
}

int database_open(const char *path, struct database *ret_database)
{
	struct database database = { .lock = -1 };
	int r = lock(path, &database.lock);
	if (r == 0)
		r = create(path);
	if (r == 0)
		r = database_result(&database,
			sqlite3_open_v2(path, &database.db,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL),
			path);
	if (r == 0) {
		sqlite3_extended_result_codes(database.db, 1);
		(void)sqlite3_busy_timeout(database.db, BUSY_MS);
		r = database_exec(
			&database, "PRAGMA journal_mode = WAL; PRAGMA trusted_schema = OFF");
	}
	if (r != 0) {
		database_close(&database);
		return r;
	}
	*ret_database = database;
	return 0;
}

void database_close(struct database *database)
{
	(void)sqlite3_close_v2(database->db);
	database->db = NULL;
	if (database->lock >= 0) {
		/* A child that has just been forked may have the descriptor open still. */
		(void)flock(database->lock, LOCK_UN);
		close(database->lock);
	}
	database->lock = -1;
}

void database_forked(struct database *database)
{
	if (database->lock >= 0)
		close(database->lock);
	database->lock = -1;
}
