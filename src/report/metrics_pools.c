#include "report/metrics_pools.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/instant.h"
#include "report/metrics_counters.h"
#include "report/metrics_rows.h"
#include "report/metrics_writer.h"

/* --- pools --- */

void metrics_write_pool_connections(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_pools; i++) {
		const struct pool_sum *sum = &writer->rows->pools[i];
		metrics_put(writer, LABELS({ "pool", sum->name }, { "state", "used" }), sum->used);
		metrics_put(writer, LABELS({ "pool", sum->name }, { "state", "idle" }), sum->idle);
	}
}

void metrics_write_pool_max(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_pools; i++)
		metrics_put(writer, LABELS({ "pool", writer->rows->pools[i].name }),
			writer->rows->pools[i].max);
}

void metrics_write_pool_waiting(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_pools; i++)
		metrics_put(writer, LABELS({ "pool", writer->rows->pools[i].name }),
			writer->rows->pools[i].waiting);
}

void metrics_write_pool_timeouts(const struct metrics_writer *writer)
{
	size_t count;
	const struct pool_counts *pools = metrics_counters_pools(writer->counters, &count);
	for (size_t i = 0; i < count; i++)
		metrics_put(writer, LABELS({ "pool", pools[i].name }), (int64_t)pools[i].timeouts);
}

/* The bounds of the histogram: 2^n µs. */
static const int bounds[] = { 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26 };

static void write_wait(const struct metrics_writer *writer, const struct pool_counts *pool)
{
	char bound[32];
	uint64_t below = 0;
	int bucket = 0;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		int64_t usec = INT64_C(1) << bounds[i];
		for (; bucket <= bounds[i]; bucket++)
			below += pool->wait[bucket];
		snprintf(bound, sizeof(bound), "%" PRId64 ".%06" PRId64, usec / USEC_PER_SEC,
			usec % USEC_PER_SEC);
		metrics_begin(writer, "_bucket", LABELS({ "pool", pool->name }, { "le", bound }));
		fprintf(writer->file, "%" PRIu64 "\n", below);
	}
	for (; bucket < POOL_WAIT_BUCKETS; bucket++)
		below += pool->wait[bucket];
	metrics_begin(writer, "_bucket", LABELS({ "pool", pool->name }, { "le", "+Inf" }));
	fprintf(writer->file, "%" PRIu64 "\n", below);
	metrics_begin(writer, "_sum", LABELS({ "pool", pool->name }));
	fprintf(writer->file, "%" PRIu64 ".%06" PRIu64 "\n", pool->waited / USEC_PER_SEC,
		pool->waited % USEC_PER_SEC);
	metrics_begin(writer, "_count", LABELS({ "pool", pool->name }));
	fprintf(writer->file, "%" PRIu64 "\n", below);
}

void metrics_write_waits(const struct metrics_writer *writer)
{
	size_t count;
	const struct pool_counts *pools = metrics_counters_pools(writer->counters, &count);
	for (size_t i = 0; i < count; i++)
		write_wait(writer, &pools[i]);
}

void metrics_write_pending(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_pools; i++)
		if (writer->rows->pools[i].has_pending)
			metrics_put(writer, LABELS({ "pool", writer->rows->pools[i].name }),
				writer->rows->pools[i].pending);
}

void metrics_write_outbox_waiting(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_pools; i++)
		if (writer->rows->pools[i].has_outbox)
			metrics_put(writer, LABELS({ "pool", writer->rows->pools[i].name }),
				writer->rows->pools[i].outbox_waiting);
}

void metrics_write_outbox_rejected(const struct metrics_writer *writer)
{
	size_t count;
	const struct pool_counts *pools = metrics_counters_pools(writer->counters, &count);
	for (size_t i = 0; i < count; i++)
		if (pools[i].has_outbox)
			metrics_put(writer, LABELS({ "pool", pools[i].name }),
				(int64_t)pools[i].rejected);
}

void metrics_write_bouncer_clients(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_bouncers; i++) {
		const struct bouncer_sum *sum = &writer->rows->bouncers[i];
		metrics_put_known(writer, LABELS({ "pool", sum->name }, { "state", "active" }),
			sum->clients_active);
		metrics_put_known(writer, LABELS({ "pool", sum->name }, { "state", "waiting" }),
			sum->clients_waiting);
	}
}

void metrics_write_bouncer_servers(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_bouncers; i++) {
		const struct bouncer_sum *sum = &writer->rows->bouncers[i];
		metrics_put_known(writer, LABELS({ "pool", sum->name }, { "state", "active" }),
			sum->servers_active);
		metrics_put_known(writer, LABELS({ "pool", sum->name }, { "state", "idle" }),
			sum->servers_idle);
		metrics_put_known(writer, LABELS({ "pool", sum->name }, { "state", "other" }),
			sum->servers_other);
	}
}

void metrics_write_bouncer_wait(const struct metrics_writer *writer)
{
	for (size_t i = 0; i < writer->rows->n_bouncers; i++)
		metrics_put_seconds(writer, LABELS({ "pool", writer->rows->bouncers[i].name }),
			writer->rows->bouncers[i].max_wait);
}
