/* An open connection. libpq's events show what the borrower does with it: libpq reports every
 * result, with its command tag, at no extra round trip. */
#include "dbpool/link.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-events.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dbpool/util.h"

/* Not DISCARD ALL, although it is cheaper itself: it also discards the plans of functions and of
 * foreign keys, and planning them again costs the next borrower more than is saved. */
static const char reset_sql[] =
	"CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;DEALLOCATE ALL;UNLISTEN *;"
	"SELECT pg_catalog.pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES;";

/* Milliseconds until the deadline for poll(), rounded up. */
static int left(int64_t deadline)
{
	int64_t usec = deadline - now_usec();
	if (usec <= 0)
		return 0;
	return usec / 1000 >= 3600000 ? 3600000 : (int)(usec / 1000) + 1;
}

/* Waits until libpq has a complete result, or knows that there are no more. The answer to a reset
 * is usually there already, so it reads first: that saves a system call. */
static bool wait_result(struct pool_link *link, int64_t deadline)
{
	if (PQisBusy(link->conn) && !PQconsumeInput(link->conn))
		return false;
	while (PQisBusy(link->conn)) {
		struct pollfd pollfd = { .fd = PQsocket(link->conn), .events = POLLIN };
		int wait = left(deadline);
		int n = poll(&pollfd, 1, wait);
		if (n < 0 && errno != EINTR)
			return false;
		if (n == 0 && wait == 0)
			return false;
		if (n > 0 && !PQconsumeInput(link->conn))
			return false;
	}
	return true;
}

/* Returns the last result of what was sent, or NULL. *ret_good is false when a result was an error,
 * or the deadline passed. */
static PGresult *collect(struct pool_link *link, int64_t deadline, bool *ret_good)
{
	PGresult *last = NULL;
	*ret_good = true;
	for (;;) {
		if (!wait_result(link, deadline)) {
			*ret_good = false;
			return last;
		}
		PGresult *result = PQgetResult(link->conn);
		if (!result)
			return last;
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
			*ret_good = false;
		PQclear(last);
		last = result;
		if (PQstatus(link->conn) == CONNECTION_BAD)
			return last;
	}
}

PGresult *link_exec(
	struct pool_link *link, const char *sql, int n, const char *const *values, int64_t deadline)
{
	bool good;
	int sent = n ? PQsendQueryParams(link->conn, sql, n, NULL, values, NULL, NULL, 0)
		     : PQsendQuery(link->conn, sql);
	if (!sent)
		return NULL;
	PGresult *result = collect(link, deadline, &good);
	link->used = link->changed = false;
	return result;
}

static void drop_notifications(struct pool_link *link)
{
	for (PGnotify *notify; (notify = PQnotifies(link->conn));)
		PQfreemem(notify);
}

bool link_settle(struct pool_link *link, bool ask, int64_t deadline)
{
	bool good = true;
	if (link->resetting) {
		PQclear(collect(link, deadline, &good));
		link->resetting = false;
		link->used = link->changed = false;
		drop_notifications(link);
	}
	/* the answer to the reset may have arrived long ago: it does not show that the server
	 * answers now */
	if (good && ask) {
		good = PQsendQuery(link->conn, "");
		if (good)
			PQclear(collect(link, deadline, &good));
		link->used = link->changed = false;
	}
	good = good && PQstatus(link->conn) == CONNECTION_OK &&
		PQtransactionStatus(link->conn) == PQTRANS_IDLE;
	if (good)
		link->heard = now_usec();
	return good;
}

/* True when neither pipeline mode nor non-blocking mode is on: a borrower may have left them on. */
static bool is_plain(const struct pool_link *link)
{
	return PQpipelineStatus(link->conn) == PQ_PIPELINE_OFF && !PQisnonblocking(link->conn);
}

bool link_is_clean(const struct pool_link *link)
{
	return !link->used && !link->finished && !link->replaced && !link->resetting &&
		PQstatus(link->conn) == CONNECTION_OK &&
		PQtransactionStatus(link->conn) == PQTRANS_IDLE && is_plain(link);
}

static bool send_reset(struct pool_link *link, bool roll_back, bool reset)
{
	char sql[sizeof(reset_sql) + 256];
	size_t length = 0;
	sql[0] = '\0';
	if (roll_back)
		length = strlen(strcpy(sql, "ROLLBACK;"));
	if (reset) {
		memcpy(sql + length, reset_sql, sizeof(reset_sql));
		strncat(sql, link->settings, sizeof(sql) - strlen(sql) - 1);
	}
	/* the session is idle, so the kernel takes a few hundred bytes without waiting */
	link->resetting = PQsendQuery(link->conn, sql);
	return link->resetting;
}

bool link_clean(struct pool_link *link, enum dbpool_reset policy)
{
	if (link->finished || link->replaced || PQstatus(link->conn) != CONNECTION_OK)
		return false;
	PGTransactionStatusType status = PQtransactionStatus(link->conn);
	if (status == PQTRANS_ACTIVE || status == PQTRANS_UNKNOWN)
		return false;
	if (PQpipelineStatus(link->conn) != PQ_PIPELINE_OFF && !PQexitPipelineMode(link->conn))
		return false;
	if (PQisnonblocking(link->conn) && PQsetnonblocking(link->conn, 0) != 0)
		return false;
	bool roll_back = status != PQTRANS_IDLE;
	bool reset = policy == DBPOOL_RESET_USED ? link->used
						 : policy == DBPOOL_RESET_TOLD && link->changed;
	/* the server answered the borrower's statement */
	if (link->used)
		link->heard = now_usec();
	link->used = false;
	if (reset)
		link->changed = false;
	return roll_back || reset ? send_reset(link, roll_back, reset) : true;
}

static void *run_cancel(void *data)
{
	char error[256];
	(void)PQcancel(data, error, sizeof(error));
	PQfreeCancel(data);
	return NULL;
}

/* PQcancel() connects and waits, where packets are lost for minutes; so it runs in its own
 * thread. */
void link_cancel(struct pool_link *link)
{
	pthread_t thread;
	PGcancel *cancel = link->cancel;
	if (!cancel)
		return;
	link->cancel = NULL;
	if (start_thread(&thread, "dbpool-cancel", run_cancel, cancel) == 0)
		pthread_detach(thread);
	else
		PQfreeCancel(cancel);
}

/* dup3() replaces the socket behind our number in one step, because link_cut() may use it at the
 * same time. */
int link_watch(struct pool_link *link)
{
	int fd = PQsocket(link->conn);
	if (fd < 0)
		return -ENOTCONN;
	if (link->own_fd < 0)
		link->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	else if (dup3(fd, link->own_fd, O_CLOEXEC) < 0)
		return -errno;
	if (link->own_fd < 0)
		return -errno;
	link->libpq_fd = fd;
	if (link->cut)
		(void)shutdown(link->own_fd, SHUT_WR);
	return 0;
}

bool link_has_ended(const struct pool_link *link)
{
	struct pollfd pollfd = { .fd = link->own_fd, .events = POLLRDHUP };
	return poll(&pollfd, 1, 0) > 0 && pollfd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* Sends a Terminate message, so that the server does not log a lost client. Over TLS only libpq can
 * send it. */
static void send_terminate(const struct pool_link *link)
{
	static const char terminate[] = { 'X', 0, 0, 0, 4 };
	if (link->finished || PQsslInUse(link->conn) || PQgssEncInUse(link->conn) ||
		PQtransactionStatus(link->conn) == PQTRANS_ACTIVE)
		return;
	ssize_t n = send(link->own_fd, terminate, sizeof(terminate), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n;
}

/* The borrower's release may close own_fd at any time, so the caller gets another duplicate to wait
 * on. */
int link_cut(struct pool_link *link, bool polite)
{
	if (link->own_fd < 0)
		return -1;
	if (polite)
		send_terminate(link);
	int fd = fcntl(link->own_fd, F_DUPFD_CLOEXEC, 3);
	link->cut = true;
	(void)shutdown(link->own_fd, SHUT_WR);
	return fd;
}

/* While our duplicate is open, close() in PQfinish() does not end the connection, but shutdown()
 * does. */
int link_finish(struct pool_link *link)
{
	if (!link)
		return -1;
	int fd = link->own_fd;
	link->own_fd = -1;
	/* PQfinish() must not wait when the socket's send buffer is full */
	if (!link->finished)
		(void)PQsetnonblocking(link->conn, 1);
	link_free(link);
	if (fd >= 0)
		(void)shutdown(fd, SHUT_WR);
	return fd;
}

void link_drop(struct pool_link *link)
{
	int fd = link_finish(link);
	if (fd >= 0)
		close(fd);
}

void link_free(struct pool_link *link)
{
	if (!link)
		return;
	if (!link->finished) {
		link->finished = true;
		PQfinish(link->conn);
	}
	if (link->own_fd >= 0)
		close(link->own_fd);
	if (link->cancel)
		PQfreeCancel(link->cancel);
	free(link->settings);
	free(link);
}

/* Reads nothing from a shared socket: the data would be missing in the middle of the borrower's
 * result, perhaps without an error. */
static bool wait_ended(int fd, int64_t deadline, bool shared)
{
	struct pollfd pollfd = { .fd = fd, .events = shared ? 0 : POLLIN | POLLRDHUP };
	for (;;) {
		char rest[4096];
		int wait = left(deadline), count = poll(&pollfd, 1, wait);
		if (count == 0 && wait == 0)
			return false;
		if (count > 0 &&
			(pollfd.revents & (POLLHUP | POLLERR | POLLNVAL) ||
				(!shared && recv(fd, rest, sizeof(rest), MSG_DONTWAIT) == 0)))
			return true;
	}
}

/* Ends a session whose server process waits because the borrower does not read. The server's next
 * attempt to send fails: over a Unix socket because nobody can read any more, over TCP because the
 * connection is reset. */
static void reset_socket(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	(void)shutdown(fd, SHUT_RDWR);
	(void)connect(fd, &none, sizeof(none));
}

/* The socket reaches its end when the server's process has ended, which is when its slot is free:
 * PostgreSQL leaves it open until then (src/backend/libpq/pqcomm.c, socket_close). */
bool link_wait_ended(int *fds, unsigned n, int64_t deadline, bool shared)
{
	bool all = true;
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		bool ended = wait_ended(fds[i], deadline, shared);
		if (!ended && shared)
			reset_socket(fds[i]);
		all = all && ended;
		close(fds[i]);
		fds[i] = -1;
	}
	return all;
}
