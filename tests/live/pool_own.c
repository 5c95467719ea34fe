/* Roles in which a connection breaks while it is borrowed. libpq then closes its descriptor, and
 * the application's next socket gets the number. The pool must not touch that socket. */
#include "pool_client.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PAIRS 100
#define BYTES      1000

/* The application's own socket pair. */
struct pair {
	int here; /* has the number that libpq's socket had */
	int there;
	ino_t inode;     /* of `here` */
	uint64_t closed; /* how many connections the pool closes with the broken one */
};

static ino_t inode_of(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct pair take_number(int number)
{
	int fds[MOST_PAIRS][2];
	struct pair pair = { .here = -1, .there = -1 };
	for (int n = 0; pair.here < 0; n++) {
		CHECK(n < MOST_PAIRS);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[n]) == 0);
		if (fds[n][0] == number || fds[n][1] == number) {
			int other = fds[n][0] == number;
			pair.here = number;
			pair.there = fds[n][other];
			pair.inode = inode_of(number);
			while (n-- > 0) {
				close(fds[n][0]);
				close(fds[n][1]);
			}
			break;
		}
	}
	char bytes[BYTES];
	memset(bytes, 'a', sizeof(bytes));
	CHECK(send(pair.there, bytes, sizeof(bytes), MSG_NOSIGNAL) == BYTES);
	return pair;
}

static void check_pair(const struct pair *pair)
{
	char bytes[BYTES + 1];
	CHECK(inode_of(pair->here) == pair->inode);
	/* all that was sent has arrived, and the other end was not closed */
	CHECK(recv(pair->here, bytes, sizeof(bytes), MSG_DONTWAIT) == BYTES);
	CHECK(recv(pair->here, bytes, 1, MSG_DONTWAIT) < 0);
	/* only our own bytes go the other way */
	CHECK(send(pair->here, "b", 1, MSG_NOSIGNAL) == 1);
	CHECK(recv(pair->there, bytes, sizeof(bytes), MSG_DONTWAIT) == 1 && bytes[0] == 'b');
	CHECK(recv(pair->there, bytes, 1, MSG_DONTWAIT) < 0);
}

static void close_pair(const struct pair *pair)
{
	check_pair(pair);
	close(pair->here);
	close(pair->there);
}

static void end_backend(int pid)
{
	char sql[80];
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 10000)::int", pid);
	CHECK(role_aside(sql) == 1);
}

/* A pool of one connection, which the pool does not test. */
static struct dbpool_config one_config(void)
{
	struct dbpool_config config = role_config();
	config.min = DBPOOL_OFF;
	config.max = 1;
	config.reset = DBPOOL_RESET_NEVER;
	config.validate_after_ms = 600000;
	return config;
}

static bool closed(void *data)
{
	return role_stats().closed >= *(uint64_t *)data;
}

static void await_closed(uint64_t count)
{
	role_wait(closed, &count);
}

struct known {
	PGconn *conn;
	int number, pid;
};

/* Borrows the connection for a moment. A busy machine may take longer than reclaim_ms. */
static bool know_connection(struct known *ret)
{
	struct dbpool_lease lease;
	uint64_t before = role_stats().closed;
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	PGconn *conn = dbpool_conn(&lease);
	if (conn)
		*ret = (struct known){ conn, PQsocket(conn), PQbackendPID(conn) };
	int result = dbpool_release(&lease);
	CHECK(result == DBPOOL_OK || result == DBPOOL_STALE);
	if (result == DBPOOL_STALE)
		await_closed(before + 1);
	return result == DBPOOL_OK;
}

/* Borrows a connection whose session has ended, and reads that end. The pair then has libpq's
 * number. */
static struct pair borrow_broken(struct dbpool_lease *lease)
{
	struct known known = { 0 };
	while (!know_connection(&known))
		continue;
	uint64_t before = role_stats().closed;
	end_backend(known.pid);
	CHECK(dbpool_acquire(NULL, lease) == DBPOOL_OK);
	PGconn *conn = known.conn;
	CHECK(PQbackendPID(conn) == known.pid && PQsocket(conn) == known.number);
	PQclear(PQexec(conn, "SELECT 1"));
	CHECK(PQstatus(conn) == CONNECTION_BAD && PQsocket(conn) == -1);
	struct pair pair = take_number(known.number);
	pair.closed = before + 1;
	return pair;
}

static int broken_release(const char *argument)
{
	struct dbpool_config config = one_config();
	struct dbpool_lease lease;
	(void)argument;
	role_start(&config);
	for (int i = 1; i <= 5; i++) {
		struct pair pair = borrow_broken(&lease);
		int result = i % 2 ? dbpool_release(&lease) : dbpool_discard(&lease);
		/* the pool may have noticed the end of the session */
		CHECK(result == DBPOOL_OK || result == DBPOOL_STALE);
		await_closed(pair.closed);
		close_pair(&pair);
	}
	return 0;
}

/* A round counts only if the pair had the number before the connection was taken back. */
static int broken_reclaim(const char *argument)
{
	struct dbpool_config config = one_config();
	struct dbpool_lease lease;
	(void)argument;
	config.reclaim_ms = 500;
	role_start(&config);
	for (int good = 0; good < 3;) {
		struct pair pair = borrow_broken(&lease);
		good += dbpool_conn(&lease) != NULL;
		await_closed(pair.closed);
		CHECK(dbpool_release(&lease) == DBPOOL_STALE);
		close_pair(&pair);
	}
	return 0;
}

static void *shut_down(void *data)
{
	(void)data;
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	return NULL;
}

/* The shutdown is called by the borrower itself, or by another thread. */
static int broken_shutdown(const char *argument)
{
	(void)argument;
	for (int by_other = 0; by_other < 2; by_other++) {
		struct dbpool_config config = one_config();
		struct dbpool_lease lease;
		role_start(&config);
		struct pair pair = borrow_broken(&lease);
		if (by_other)
			role_threads(1, shut_down, NULL);
		else
			shut_down(NULL);
		check_pair(&pair);
		close(pair.here);
		close(pair.there);
		CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	}
	return 0;
}

static int finish_child(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

static int broken_fork(const char *argument)
{
	struct dbpool_config config = one_config();
	struct dbpool_lease lease;
	(void)argument;
	role_start(&config);
	struct pair pair = borrow_broken(&lease);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		check_pair(&pair);
		_exit(0);
	}
	CHECK(finish_child(child) == 0);
	/* the child has read what was sent, not we */
	CHECK(inode_of(pair.here) == pair.inode);
	role_release_ended(&lease);
	return 0;
}

/* A child has no copy of the pool's sockets, whichever numbers they have, held or idle, and even if
 * no descriptor is free for a dead socket. */
static void check_child(const int *numbers, const ino_t *inodes, int n)
{
	pid_t child = fork();
	CHECK(child >= 0);
	if (child > 0) {
		CHECK(finish_child(child) == 0);
		return;
	}
	for (int fd = 0; fd < 1024; fd++)
		for (int i = 0; i < n; i++)
			CHECK(inode_of(fd) != inodes[i]);
	/* the numbers stay in use, so that libpq's copy cannot write to another file */
	for (int i = 0; i < n; i++)
		CHECK(inode_of(numbers[i]) != 0);
	_exit(0);
}

static int fork_full(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease[2], spare;
	int numbers[3];
	ino_t inodes[3];
	(void)argument;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease[0]) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease[1]) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &spare) == DBPOOL_OK);
	const struct dbpool_lease *all[] = { &lease[0], &lease[1], &spare };
	for (int i = 0; i < 3; i++) {
		numbers[i] = PQsocket(dbpool_conn(all[i]));
		inodes[i] = inode_of(numbers[i]);
	}
	CHECK(dbpool_release(&spare) == DBPOOL_OK);
	check_child(numbers, inodes, 3);
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 64;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while (dup(STDERR_FILENO) >= 0)
		continue;
	check_child(numbers, inodes, 3);
	return 0;
}

static bool no_session(void *data)
{
	(void)data;
	return role_sessions() == 0;
}

static bool taken_back(void *data)
{
	return !dbpool_conn(data);
}

/* A borrower that resets its connection gets another socket, which is cut as well, whether the
 * reset was before or after the connection was taken back. */
static int reset_reclaim(const char *argument)
{
	(void)argument;
	for (int after = 0; after < 2; after++) {
		struct dbpool_config config = one_config();
		struct dbpool_lease lease;
		config.reclaim_ms = 1000;
		role_start(&config);
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		PGconn *conn = dbpool_conn(&lease);
		if (after)
			role_wait(taken_back, &lease);
		PQreset(conn);
		role_wait(taken_back, &lease);
		role_wait(no_session, NULL);
		CHECK(dbpool_release(&lease) == DBPOOL_STALE);
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	}
	return 0;
}

/* Rows of 64 bytes: a gap of some kilobytes is a number of whole rows, and libpq does not notice.
 */
#define STREAM "SELECT lpad(generate_series(1, 4000000)::text, 53, '0')"

/* Reads rows until they end, and checks that each follows the one before. Returns true if all
 * came. */
static bool read_rows(PGconn *conn)
{
	long last = 0;
	for (PGresult *result; (result = PQgetResult(conn)); PQclear(result)) {
		if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
			PQclear(result);
			return false;
		}
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			CHECK(atol(PQgetvalue(result, 0, 0)) == ++last);
	}
	return true;
}

/* A borrower that reads while its connection is taken back gets what the server sent up to some
 * point, and then an error: nothing is missing in the middle. A borrower that does not read cannot
 * keep the session. A round counts only if the statement was sent before. */
static int stream_reclaim(const char *argument)
{
	struct dbpool_config config = one_config();
	struct dbpool_lease lease;
	config.reclaim_ms = 200;
	role_start(&config);
	for (int good = 0; good < 5;) {
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		PGconn *conn = dbpool_conn(&lease);
		if (!PQsendQuery(conn, STREAM) || !PQsetSingleRowMode(conn)) {
			role_wait(taken_back, &lease);
			CHECK(dbpool_release(&lease) == DBPOOL_STALE);
			continue;
		}
		good++;
		if (strcmp(argument, "unread") == 0)
			role_wait(no_session, NULL);
		CHECK(!read_rows(conn));
		role_wait(no_session, NULL);
		CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	}
	return 0;
}

const struct role roles_own[] = {
	{ "broken-release", broken_release },
	{ "broken-reclaim", broken_reclaim },
	{ "broken-shutdown", broken_shutdown },
	{ "broken-fork", broken_fork },
	{ "fork-full", fork_full },
	{ "reset-reclaim", reset_reclaim },
	{ "stream-reclaim", stream_reclaim },
	{ NULL, NULL },
};
