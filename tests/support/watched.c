#include "watched.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/history.h"
#include "model/rules.h"
#include "sample.h"
#include "target/target.h"
#include "watch/watch.h"

#define START_TICKS 4711

static const struct rules rules;

static void on_assessed(void *data)
{
	(void)data;
}

static struct endpoint client_end(size_t i)
{
	const struct in_addr address = { .s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i / 50000)) };
	return endpoint_make(AF_INET, &address, (uint16_t)(10000 + i % 50000));
}

static void make_sample(struct watched *watched, size_t n_processes)
{
	struct follow_sample *sample = &watched->sample;
	size_t n_sockets = watched->n_sockets;
	sample->n_processes = n_processes;
	sample->processes = mem_resize(NULL, n_processes, sizeof(*sample->processes));
	for (size_t i = 0; i < n_processes; i++) {
		sample->processes[i] = (struct follow_process){
			/* none that exists: what is held by a pidfd would be a real process */
			.pid = INT32_MAX - (int32_t)i,
			.start_ticks = START_TICKS,
			.name = "app",
		};
	}
	sample->n_sockets = n_sockets;
	sample->sockets = mem_resize(NULL, n_sockets, sizeof(*sample->sockets));
	for (size_t i = 0; i < n_sockets; i++)
		sample->sockets[i] = (struct follow_socket){
			.inode = (uint32_t)(1000 + i),
			.pid = sample->processes[i % n_processes].pid,
			.port = 5432,
			.local = client_end(i),
			.established = true,
			.first_seen = instant_monotonic(),
		};
}

static void make_assessment(struct watched *watched)
{
	static const struct history history;
	struct assessment *assessment = sample_many(watched->n_sockets, 1);
	watched->slot = (struct pool_slot){ .number = 1, .state = POOL_SLOT_IN_USE };
	for (size_t i = 0; i < watched->n_sockets; i++) {
		struct connection *row = &assessment->connections[i];
		((struct backend *)row->backend)->client = client_end(i);
		row->slot = &watched->slot;
	}
	watched->assessment = assessment;
	target_show(watched->target, assessment, &history);
}

void watched_init(struct watched *watched, size_t n_sockets, size_t n_processes)
{
	*watched = (struct watched){ .n_sockets = n_sockets };
	if (uv_loop_init(&watched->loop) != 0)
		abort();
	params_set(&watched->params, "host", "127.0.0.1");
	const struct target_options options = {
		.params = &watched->params,
		.rules = &rules,
		.interval = USEC_PER_SEC,
		.assessed = on_assessed,
	};
	watched->target = target_new(&watched->loop, &options);
	make_sample(watched, n_processes);
	make_assessment(watched);
	const struct watch_options watch = {
		.pid = watched->sample.processes[0].pid,
		.start_ticks = START_TICKS,
		.timeout = USEC_PER_SEC,
		.settle = USEC_PER_SEC,
	};
	watched->watch = watch_new(&watched->loop, watched->target, &watch);
}

void watched_deinit(struct watched *watched)
{
	watch_free(watched->watch);
	target_free(watched->target);
	uv_run(&watched->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&watched->loop) != 0)
		abort();
	params_clear(&watched->params);
	free(watched->sample.processes);
	free(watched->sample.sockets);
}

void watched_sample(struct watched *watched)
{
	watched->sample.began_at = watched->sample.taken_at = instant_monotonic();
	watch_read_sample(watched->watch, &watched->sample);
}

void watched_assess(struct watched *watched)
{
	watch_assessed(watched->watch);
}

void watched_poll(struct watched *watched)
{
	struct activity *answer = &watched->answers[watched->n_answers++ % 2];
	*answer = *watched->assessment->activity;
	answer->asked_monotonic = answer->taken_monotonic = instant_monotonic();
	watched->assessment->activity = answer;
	watched_assess(watched);
}
