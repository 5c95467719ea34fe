#include "demo/demo_pool.h"

#include <stdbool.h>
#include <unistd.h>

#include "dbpool/dbpool.h"

#define HELD_MS 2000

static bool run(const struct dbpool_lease *lease, const char *sql)
{
	PGresult *result = PQexec(dbpool_conn(lease), sql);
	ExecStatusType status = PQresultStatus(result);
	PQclear(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The fault: the lease is gone at the end of the function, and the connection stays borrowed. dbtop
 * shows this line. */
static bool count_baskets(void)
{
	struct dbpool_lease lease;
	if (dbpool_acquire(NULL, &lease) != DBPOOL_OK)
		return false;
	return run(&lease, "SELECT count(*) FROM orders WHERE state = 'open'");
}

/* Given back at the end of the function, in any way. */
static int show_basket(void)
{
	DBPOOL_SCOPED(lease, NULL);
	if (lease.result == DBPOOL_OK)
		(void)run(&lease, "SELECT id, state FROM orders ORDER BY id LIMIT 5");
	return lease.result;
}

int demo_pool_main(const char *conninfo, const char *pages, void (*report_ready)(void))
{
	const struct dbpool_config config = {
		.size = sizeof(config),
		.conninfo = conninfo,
		.name = "basket",
		.held_ms = HELD_MS,
		.shutdown_ms = 2000,
		.drain_ms = 200,
		.page_folder = pages,
		.no_log = 1,
	};
	if (dbpool_start(&config) != DBPOOL_OK || !count_baskets())
		return 1;
	report_ready();
	while (show_basket() != DBPOOL_SHUTTING_DOWN)
		usleep(150 * 1000);
	return 1;
}
