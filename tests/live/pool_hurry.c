/* Roles in which threads acquire and release as fast as they can, while the pool does what may
 * conflict with that. Nothing is done with the connections, so that two threads often meet. */
#include "pool_client.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define HURRIED 8
#define PIDS    65536

/* True while a thread holds the connection of that backend. */
static atomic_bool in_hand[PIDS];
static atomic_bool stop;
static atomic_long served, late;

static void give_back(struct dbpool_lease *lease, int pid)
{
	atomic_store(&in_hand[pid], false);
	int result = dbpool_release(lease);
	CHECK(result == DBPOOL_OK || result == DBPOOL_STALE);
}

/* Sometimes holds for longer, or does not wait. */
static void *hurry(void *data)
{
	long dawdle = *(const long *)data;
	for (unsigned i = 1; !atomic_load(&stop); i++) {
		struct dbpool_lease lease;
		bool patient = i % 7;
		int pid,
			result = patient ? dbpool_acquire(NULL, &lease)
					 : dbpool_acquire_at(NULL, &lease, 1, "impatient");
		if (result == DBPOOL_TIMEOUT && !patient) {
			atomic_fetch_add(&late, 1);
			continue;
		}
		if (result == DBPOOL_SHUTTING_DOWN) {
			usleep(500);
			continue;
		}
		CHECK(result == DBPOOL_OK);
		PGconn *conn = dbpool_conn(&lease);
		if (!conn) {
			/* it was taken back already */
			CHECK(dbpool_release(&lease) == DBPOOL_STALE);
			continue;
		}
		pid = PQbackendPID(conn) % PIDS;
		CHECK(!atomic_exchange(&in_hand[pid], true));
		atomic_fetch_add(&served, 1);
		if (dawdle && i % 5000 == 0)
			usleep((useconds_t)dawdle);
		give_back(&lease, pid);
	}
	return NULL;
}

struct crowd {
	pthread_t threads[HURRIED];
	long dawdle; /* microseconds */
};

static void crowd_start(struct crowd *crowd)
{
	for (int i = 0; i < HURRIED; i++)
		CHECK(pthread_create(&crowd->threads[i], NULL, hurry, &crowd->dawdle) == 0);
}

static void crowd_stop(struct crowd *crowd)
{
	atomic_store(&stop, true);
	for (int i = 0; i < HURRIED; i++)
		pthread_join(crowd->threads[i], NULL);
	atomic_store(&stop, false);
}

/* Two threads never hold the same connection, and every connection is released. The role starts
 * many times, because a waiter that was forgotten in the queue is found only at the end, when no
 * other thread wakes it. */
static int hurried(const char *argument)
{
	struct dbpool_config config = role_config();
	struct crowd crowd = { .dawdle = 2000 };
	(void)argument;
	role_start(&config);
	for (int i = 0; i < 50; i++) {
		crowd_start(&crowd);
		usleep(15000);
		crowd_stop(&crowd);
	}
	struct dbpool_stats stats = role_stats();
	CHECK(stats.in_use == 0 && stats.waiters == 0);
	CHECK(stats.acquired == (uint64_t)atomic_load(&served) && stats.released == stats.acquired);
	CHECK(stats.timeouts == (uint64_t)atomic_load(&late) && stats.errors == 0);
	CHECK(role_sessions() <= 3);
	return 0;
}

static bool somebody_was_robbed(void *data)
{
	(void)data;
	return role_events(DBPOOL_EVENT_RECLAIMED) > 0;
}

/* The same, while the housekeeper takes connections back at the moment of their release. */
static int robbed(const char *argument)
{
	struct dbpool_config config = role_config();
	struct crowd crowd = { .dawdle = 20000 };
	(void)argument;
	config.held_ms = 5;
	config.reclaim_ms = 20;
	role_start(&config);
	crowd_start(&crowd);
	for (int i = 0; i < 100; i++) {
		usleep(10000);
		CHECK(role_stats().in_use <= 3);
	}
	role_wait(somebody_was_robbed, NULL);
	crowd_stop(&crowd);
	struct dbpool_stats stats = role_stats();
	CHECK(stats.in_use == 0 && stats.waiters == 0 && stats.leaks == 0);
	CHECK(stats.released == stats.acquired);
	return 0;
}

static void *spin(void *data)
{
	(void)data;
	while (!atomic_load(&stop))
		;
	return NULL;
}

#define HOLDS 20

static void *hold_for_long(void *data)
{
	(void)data;
	for (int i = 0; i < HOLDS; i++) {
		struct dbpool_lease lease;
		CHECK(dbpool_acquire_at(NULL, &lease, DBPOOL_OFF, DBPOOL_HERE) == DBPOOL_OK);
		usleep(1500);
		int result = dbpool_release(&lease);
		CHECK(result == DBPOOL_OK || result == DBPOOL_STALE);
	}
	return NULL;
}

/* Threads wait for one connection on a busy machine, so they wake up late after they were served.
 * Meanwhile the housekeeper takes the connection back. */
static int overslept(const char *argument)
{
	struct dbpool_config config = role_config();
	pthread_t spinners[4];
	(void)argument;
	config.max = 1;
	config.reclaim_ms = 1;
	role_start(&config);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&spinners[i], NULL, spin, NULL) == 0);
	role_threads(HURRIED, hold_for_long, NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(spinners[i], NULL);
	struct dbpool_stats stats = role_stats();
	CHECK(stats.in_use == 0 && stats.waiters == 0 && stats.released == stats.acquired);
	CHECK(role_events(DBPOOL_EVENT_RECLAIMED) > 0);
	return 0;
}

static bool more_were_served(void *data)
{
	return atomic_load(&served) > *(const long *)data;
}

/* The same, while the pool shuts down and starts again. */
static int restarted(const char *argument)
{
	struct dbpool_config config = role_config();
	struct crowd crowd = { .dawdle = 2000 };
	(void)argument;
	config.drain_ms = 1;
	role_start(&config);
	crowd_start(&crowd);
	for (int i = 0; i < 20; i++) {
		usleep(20000);
		int result = dbpool_shutdown(NULL);
		CHECK(result == DBPOOL_OK);
		CHECK(role_sessions() == 0);
		config.max = 1 + i % 4;
		role_start(&config);
	}
	long before = atomic_load(&served);
	role_wait(more_were_served, &before);
	crowd_stop(&crowd);
	return 0;
}

/* Two threads want one connection at the same moment. Then no other thread is left that would wake
 * a waiter that was missed. */
#define MEETINGS  20000
#define FORGOTTEN 20000 /* milliseconds until a forgotten waiter times out */

static atomic_int arrived;

static void *meet(void *data)
{
	(void)data;
	for (int i = 1; i <= MEETINGS; i++) {
		struct dbpool_lease lease;
		atomic_fetch_add(&arrived, 1);
		/* the other thread may need this processor to arrive */
		for (int spins = 1; atomic_load(&arrived) < 2 * i; spins++)
			if (spins % 1000 == 0)
				sched_yield();
		int64_t begin = role_now();
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		CHECK(role_now() - begin < FORGOTTEN * INT64_C(1000) / 2);
		CHECK(dbpool_release(&lease) == DBPOOL_OK);
	}
	return NULL;
}

static int met(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.max = 1;
	config.acquire_timeout_ms = FORGOTTEN;
	role_start(&config);
	role_threads(2, meet, NULL);
	CHECK(role_stats().acquired == 2 * MEETINGS);
	return 0;
}

static atomic_bool holds;

static void *hold_briefly(void *data)
{
	struct dbpool_lease lease;
	CHECK(dbpool_acquire(data, &lease) == DBPOOL_OK);
	atomic_store(&holds, true);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	return NULL;
}

/* A pool is freed as soon as another thread has released its last connection. */
static int freed(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.max = 1;
	config.drain_ms = 10000;
	for (int i = 0; i < 50; i++) {
		struct dbpool *pool;
		pthread_t thread;
		CHECK(dbpool_new(&config, &pool) == DBPOOL_OK);
		atomic_store(&holds, false);
		CHECK(pthread_create(&thread, NULL, hold_briefly, pool) == 0);
		while (!atomic_load(&holds))
			;
		dbpool_free(pool);
		pthread_join(thread, NULL);
	}
	return 0;
}

const struct role roles_hurry[] = {
	{ "hurried", hurried },
	{ "robbed", robbed },
	{ "overslept", overslept },
	{ "restarted", restarted },
	{ "met", met },
	{ "freed", freed },
	{ NULL, NULL },
};
