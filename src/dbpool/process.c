/* What the whole process does: fork and exit. */
#include "dbpool/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbpool/default.h"
#include "dbpool/signals.h"
#include "dbpool/state.h"
#include "dbpool/stop.h"
#include "dbpool/util.h"

#define MOST_POOLS 64 /* at most this many pools are shut down at exit */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct dbpool *first;
static atomic_uint forks;
static pthread_once_t registered = PTHREAD_ONCE_INIT, registered_again = PTHREAD_ONCE_INIT;
static int registration; /* 0 or a negative errno */

unsigned process_forks(void)
{
	return atomic_load(&forks);
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
	for (struct dbpool *pool = first; pool; pool = pool->next)
		pthread_mutex_lock(&pool->lock);
	atomic_fetch_add(&forks, 1);
}

static void after_fork(void)
{
	for (struct dbpool *pool = first; pool; pool = pool->next)
		pthread_mutex_unlock(&pool->lock);
	pthread_mutex_unlock(&lock);
}

/* True when libpq's number still belongs to the link's socket. While our duplicate is open, no
 * other socket has its inode number. */
static bool is_libpqs(const struct pool_link *link)
{
	struct stat ours, theirs;
	return link->own_fd >= 0 && link->libpq_fd >= 0 && fstat(link->own_fd, &ours) == 0 &&
		fstat(link->libpq_fd, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
		ours.st_ino == theirs.st_ino;
}

static void close_own(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Closes our duplicate, and leaves the parent's page alone. Keeps libpq's number only if it still
 * belongs to the socket and must be replaced. */
static void forget_socket(struct pool_link *link)
{
	if (!is_libpqs(link))
		link->libpq_fd = -1;
	close_own(&link->own_fd);
	link->last_result = NULL;
}

/* Replaces libpq's socket by a dead one. So the child's copy of the connection cannot write to a
 * file that would get the same number, and the child does not keep the parent's connection open. */
static void replace_socket(struct pool_link *link, int dead)
{
	if (link->libpq_fd >= 0)
		(void)dup3(dead, link->libpq_fd, O_CLOEXEC);
}

static void forget_sockets(struct dbpool *pool)
{
	for (unsigned i = 0; i < pool->config.max; i++) {
		if (pool->slots[i].link)
			forget_socket(pool->slots[i].link);
		close_own(&pool->slots[i].ending);
	}
	for (struct pool_link *link = pool->orphans; link; link = link->next)
		forget_socket(link);
}

static void replace_sockets(const struct dbpool *pool, int dead)
{
	for (unsigned i = 0; i < pool->config.max; i++)
		if (pool->slots[i].link)
			replace_socket(pool->slots[i].link, dead);
	for (struct pool_link *link = pool->orphans; link; link = link->next)
		replace_socket(link, dead);
}

static int dead_socket(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(pair[1]);
	return pair[0];
}

/* Does only what is allowed in a signal handler. Closes the duplicates first, because the dead
 * socket needs a descriptor and there may be no free one. */
static void in_child(void)
{
	for (struct dbpool *pool = first; pool; pool = pool->next)
		forget_sockets(pool);
	int dead = dead_socket();
	for (struct dbpool *pool = first; pool; pool = pool->next) {
		replace_sockets(pool, dead);
		pool->forked = true;
	}
	close_own(&dead);
	after_fork();
	first = NULL;
	thread_id_forget();
	signals_forked();
	default_forked();
}

/* Shuts down, at the same time, all joined pools whose configuration does not exclude it. */
static void shut_down_all(bool for_signal)
{
	struct dbpool *pools[MOST_POOLS];
	unsigned n = 0;
	pthread_mutex_lock(&lock);
	for (struct dbpool *pool = first; pool && n < MOST_POOLS; pool = pool->next) {
		if (for_signal ? pool->config.raw.no_signals : pool->config.raw.no_exit)
			continue;
		pthread_mutex_lock(&pool->lock);
		pool->users++;
		pthread_mutex_unlock(&pool->lock);
		pools[n++] = pool;
	}
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < n; i++)
		pool_request_end(pools[i]);
	for (unsigned i = 0; i < n; i++) {
		(void)dbpool_shutdown(pools[i]);
		pthread_mutex_lock(&pools[i]->lock);
		pools[i]->users--;
		pthread_cond_broadcast(&pools[i]->changed);
		pthread_mutex_unlock(&pools[i]->lock);
	}
}

static void shut_down_for_signal(void)
{
	shut_down_all(true);
}

static void at_exit(void)
{
	shut_down_all(false);
	/* the process's status must come from the signal, so wait up to 5 s for it to end the
	 * process */
	for (int i = 0; signals_are_ending() && i < 50; i++)
		usleep(100 * 1000);
}

static void do_register(void)
{
	int r = pthread_atfork(before_fork, after_fork, in_child);
	registration = r ? -r : atexit(at_exit) ? -ENOMEM : 0;
}

static void do_register_again(void)
{
	(void)atexit(at_exit);
}

void process_at_exit_again(void)
{
	pthread_once(&registered_again, do_register_again);
}

int process_join(struct dbpool *pool)
{
	pthread_once(&registered, do_register);
	int r = registration;
	if (r == 0 && !pool->config.raw.no_signals)
		r = signals_start(shut_down_for_signal);
	if (r < 0)
		return r;
	pthread_mutex_lock(&lock);
	pool->next = first;
	first = pool;
	pthread_mutex_unlock(&lock);
	return 0;
}

void process_leave(struct dbpool *pool)
{
	pthread_mutex_lock(&lock);
	struct dbpool **at = &first;
	while (*at && *at != pool)
		at = &(*at)->next;
	bool found = *at != NULL;
	if (found)
		*at = pool->next;
	pthread_mutex_unlock(&lock);
	if (found && !pool->config.raw.no_signals)
		signals_stop();
}
