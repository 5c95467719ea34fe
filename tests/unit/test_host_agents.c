/* collect/host_agents: programs that do not answer, answer too much, or end. Each is a script. The
 * resolver is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/host_agents.h"
#include "collect/host_lines.h"

#define HELLO_OF(version)                                                                          \
	"read line; echo '{\"version\":" version ",\"boot\":\"b\",\"run\":\"'$$'\"}'; "
#define HELLO HELLO_OF("2")

/* Answers each question by its number and target, and nothing else. */
#define ANSWERS                                                                                    \
	"while read line; do n=${line#*:}; n=${n%%,*}; t=${line#*target\\\":}; t=${t%%,*}; "       \
	"echo '{\"answer\":'$n',\"target\":'$t'}'; done"

#define STALE_AFTER (60 * USEC_PER_SEC)

struct stand {
	uv_loop_t loop;
	struct host_agents *agents;
	struct host_asker *askers[2];
	unsigned n_changes;
	int64_t deadline;
};

/* --- the resolver, which libuv asks in a thread --- */

/* "hangs" is looked up until the release; "many" has more addresses than are taken; no other name
 * is known. */
static sem_t release;
static atomic_uint n_lookups;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret_list)
{
	(void)service;
	(void)hints;
	unsigned before = atomic_fetch_add(&n_lookups, 1);
	if (strcmp(name, "hangs") == 0 && before == 0)
		sem_wait(&release);
	if (strcmp(name, "many") != 0)
		return EAI_NONAME;
	struct addrinfo *list = NULL;
	for (uint32_t i = 0; i < HOST_ADDRESSES_MOST + 6; i++) {
		struct addrinfo *item = mem_alloc(sizeof(*item));
		struct sockaddr_in *address = mem_alloc(sizeof(*address));
		address->sin_family = AF_INET;
		address->sin_addr.s_addr = htonl(0x0a000001 + i);
		*item = (struct addrinfo){ .ai_family = AF_INET,
			.ai_addrlen = sizeof(*address),
			.ai_addr = (struct sockaddr *)address,
			.ai_next = list };
		list = item;
	}
	*ret_list = list;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;
		free(list->ai_addr);
		free(list);
		list = next;
	}
}

/* --- the stand --- */

static void on_changed(void *data, bool is_news)
{
	struct stand *stand = data;
	(void)is_news;
	stand->n_changes++;
}

static void start(struct stand *stand, const struct host_agent_options *options)
{
	const struct host_asker_callbacks callbacks = { stand, on_changed };
	*stand = (struct stand){ .deadline = instant_monotonic() + 60 * USEC_PER_SEC };
	uv_loop_init(&stand->loop);
	stand->agents = host_agents_new(&stand->loop, options, 1);
	for (int i = 0; i < 2; i++)
		stand->askers[i] = host_asker_new(stand->agents, &callbacks);
}

static void set_up(struct stand *stand, const char *script)
{
	static const struct endpoint address = { .family = AF_INET, .address = { 10, 0, 0, 2 } };
	start(stand,
		&(const struct host_agent_options){
			.name = "a",
			.command = (const char *const[]){ "sh", "-c", script, NULL },
			.addresses = &address,
			.n_addresses = 1,
		});
}

/* Its addresses are those of its name. */
static void set_up_named(struct stand *stand, const char *name, int64_t start_timeout)
{
	atomic_store(&n_lookups, 0);
	start(stand,
		&(const struct host_agent_options){
			.name = name,
			.command = (const char *const[]){ "sh", "-c", HELLO ANSWERS, NULL },
			.start_timeout = start_timeout,
		});
}

static void tear_down(struct stand *stand)
{
	host_asker_free(stand->askers[0]);
	host_asker_free(stand->askers[1]);
	host_agents_free(stand->agents);
	uv_run(&stand->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&stand->loop), 0);
}

static void turn(struct stand *stand)
{
	assert_true(instant_monotonic() < stand->deadline);
	uv_run(&stand->loop, UV_RUN_ONCE);
}

static bool ask(struct stand *stand, int asker)
{
	const struct host_request request = { .port = 5432 };
	return host_asker_ask(stand->askers[asker], 0, &request);
}

/* It is asked as soon as it can be. */
static void await_asked(struct stand *stand, int asker)
{
	while (!ask(stand, asker))
		turn(stand);
}

static struct source_state source_of(const struct stand *stand)
{
	return host_asker_source(stand->askers[0], 0, STALE_AFTER);
}

static void await_failure(struct stand *stand, const char *error)
{
	for (;;) {
		struct source_state source = source_of(stand);
		if (source.error && strstr(source.error, error))
			return;
		turn(stand);
	}
}

static uint64_t await_run(struct stand *stand, int asker, uint64_t before)
{
	const struct host_ends *latest;
	while (!(latest = host_asker_latest(stand->askers[asker], 0)) || latest->run == before)
		turn(stand);
	return latest->run;
}

static void each_server_has_its_own_answers(void **state)
{
	(void)state;
	struct stand stand;
	set_up(&stand, HELLO ANSWERS);
	assert_int_equal(source_of(&stand).status, SOURCE_WAITING);
	await_asked(&stand, 0);
	assert_false(ask(&stand, 0)); /* it owes an answer */
	assert_true(ask(&stand, 1));
	uint64_t run = await_run(&stand, 0, 0);
	assert_int_equal(await_run(&stand, 1, 0), run);
	assert_int_not_equal(host_asker_latest(stand.askers[0], 0)->number,
		host_asker_latest(stand.askers[1], 0)->number);
	assert_int_equal(source_of(&stand).status, SOURCE_OK);
	assert_null(source_of(&stand).error);
	assert_int_equal(host_asker_latest(stand.askers[0], 0)->n_addresses, 1);
	tear_down(&stand);
}

/* Its answers are taken as they are. */
static void an_older_agent_is_said_to_send_no_pages(void **state)
{
	(void)state;
	struct stand stand;
	set_up(&stand, HELLO_OF("1") ANSWERS);
	await_asked(&stand, 0);
	await_failure(&stand, "the dbtop there is older: it sends no stats pages");
	assert_int_equal(source_of(&stand).status, SOURCE_OK);
	tear_down(&stand);
}

/* The line with all ends added and all dropped would be too long: it is a first question again. */
static void other_ends_than_before_are_asked_about_anew(void **state)
{
	(void)state;
	struct stand stand;
	struct host_request request = { .port = 5432, .n_ends = HOST_ENDS_MOST / 2 + 1 };
	CLEANUP(cleanup_free)
	struct asked_end *ends = mem_alloc(request.n_ends * sizeof(*ends));
	uint64_t number = 0, run = 0;
	set_up(&stand,
		HELLO "while read line; do case $line in *drop*) exit 3; esac; n=${line#*:}; "
		      "echo '{\"answer\":'${n%%,*}',\"target\":0}'; done");
	request.ends = ends;
	for (uint8_t machine = 1; machine <= 2; machine++) {
		for (size_t i = 0; i < request.n_ends; i++)
			ends[i].client = endpoint_make(
				AF_INET, (const uint8_t[]){ 10, 0, 0, machine }, (uint16_t)(i + 1));
		while (!host_asker_ask(stand.askers[0], 0, &request))
			turn(&stand);
		const struct host_ends *latest;
		while (!(latest = host_asker_latest(stand.askers[0], 0)) ||
			latest->number == number) {
			assert_null(source_of(&stand).error);
			turn(&stand);
		}
		number = latest->number;
		assert_int_equal(latest->n_ends, request.n_ends);
		/* what the agent showed before is no evidence any more: it has forgotten it */
		assert_int_not_equal(latest->run, run);
		run = latest->run;
	}
	tear_down(&stand);
}

static void one_that_does_not_answer_is_started_again(void **state)
{
	(void)state;
	static const char *const scripts[] = {
		HELLO "sleep 1000",
		HELLO "read line; printf '{\"answer\":1,\"tar'; sleep 1000",
	};
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct stand stand;
		set_up(&stand, scripts[i]);
		host_agents_set_timeout(stand.agents, 100 * USEC_PER_MSEC);
		await_asked(&stand, 0);
		await_failure(&stand, "does not answer");
		assert_int_equal(source_of(&stand).status, SOURCE_FAILED);
		assert_false(host_asker_is_up(stand.askers[0], 0));
		await_asked(&stand, 0); /* the next one has said hello */
		tear_down(&stand);
	}
}

static void one_that_says_half_a_hello_is_late(void **state)
{
	(void)state;
	static const struct endpoint address = { .family = AF_INET, .address = { 10, 0, 0, 2 } };
	struct stand stand;
	start(&stand,
		&(const struct host_agent_options){
			.name = "a",
			.command = (const char *const[]){ "sh", "-c",
				"printf '{\"version\":2'; sleep 1000", NULL },
			.addresses = &address,
			.n_addresses = 1,
			.start_timeout = 100 * USEC_PER_MSEC,
		});
	await_failure(&stand, "did not answer in time");
	tear_down(&stand);
}

/* It keeps one thread of the few that look names up, however often the agent is started again. */
static void a_look_up_that_hangs_is_the_only_one(void **state)
{
	(void)state;
	struct stand stand;
	assert_int_equal(sem_init(&release, 0, 0), 0);
	set_up_named(&stand, "hangs", 50 * USEC_PER_MSEC);
	await_failure(&stand, "the look-up of its name did not end in time");
	/* each of the two askers gets each failure */
	while (stand.n_changes < 2 * 3)
		turn(&stand);
	assert_int_equal(atomic_load(&n_lookups), 1);
	sem_post(&release);
	while (!atomic_load(&n_lookups) || !host_asker_is_up(stand.askers[0], 0))
		turn(&stand);
	tear_down(&stand);
	sem_destroy(&release);
}

static void a_name_has_a_limited_number_of_addresses(void **state)
{
	(void)state;
	struct stand stand;
	set_up_named(&stand, "many", 0);
	await_asked(&stand, 0);
	await_run(&stand, 0, 0);
	assert_int_equal(host_asker_latest(stand.askers[0], 0)->n_addresses, HOST_ADDRESSES_MOST);
	tear_down(&stand);
}

static void what_it_answered_stays_until_the_next_run_answers(void **state)
{
	(void)state;
	struct stand stand;
	set_up(&stand,
		HELLO "read line; n=${line#*:}; echo '{\"answer\":'${n%%,*}',\"target\":0}'");
	await_asked(&stand, 0);
	uint64_t run = await_run(&stand, 0, 0);
	while (source_of(&stand).status == SOURCE_OK)
		turn(&stand);
	assert_int_equal(source_of(&stand).status, SOURCE_STALE);
	assert_int_equal(host_asker_latest(stand.askers[0], 0)->run, run);
	await_asked(&stand, 0);
	assert_int_not_equal(await_run(&stand, 0, run), run);
	tear_down(&stand);
}

static void what_was_not_asked_is_a_failure(void **state)
{
	(void)state;
	static const struct {
		const char *script, *error;
	} cases[] = {
		{ HELLO "echo '{\"answer\":1000,\"target\":0}'; sleep 1000", "not asked" },
		{ HELLO ANSWERS " | while read l; do echo \"$l\"; echo \"$l\"; done", "not asked" },
		{ HELLO "read line; echo '{\"answer\":77,\"target\":0}'; sleep 1000", "not asked" },
		{ HELLO "read line; n=${line#*:}; echo '{\"answer\":'${n%%,*}',\"target\":0,"
			"\"ends\":[{\"end\":\"10.0.0.9:1\",\"state\":\"none\"}]}'; sleep 1000",
			"ends that it was not asked about" },
		{ HELLO "read line; echo hm; sleep 1000", "\"hm\"" },
		{ HELLO "yes ever more >&2", "wrote error messages of more than" },
		{ HELLO_OF("3") "sleep 1000", "not a line" },
		{ "echo hm; sleep 1000", "\"hm\"" },
		{ "read line; echo '{\"error\":\"too old\"}'; sleep 1000", "refuses: too old" },
		{ "exit 3", "ended with status 3" },
		{ "kill -9 $$", "ended by signal 9" },
		{ "echo first >&2; echo last words >&2", "last words (ended)" },
		/* what it leaves behind keeps the pipes open */
		{ "sleep 10 & echo left >&2", "left (ended)" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stand stand;
		set_up(&stand, cases[i].script);
		for (;;) {
			struct source_state source = source_of(&stand);
			if (source.error && strstr(source.error, cases[i].error))
				break;
			if (source.error && !strstr(source.error, cases[i].error))
				fail_msg("%s: %s", cases[i].script, source.error);
			(void)ask(&stand, 0);
			turn(&stand);
		}
		tear_down(&stand);
	}
}

int main(void)
{
	/* as in dbtop: a closed pipe is an error of write() */
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_server_has_its_own_answers),
		cmocka_unit_test(an_older_agent_is_said_to_send_no_pages),
		cmocka_unit_test(other_ends_than_before_are_asked_about_anew),
		cmocka_unit_test(one_that_does_not_answer_is_started_again),
		cmocka_unit_test(one_that_says_half_a_hello_is_late),
		cmocka_unit_test(a_look_up_that_hangs_is_the_only_one),
		cmocka_unit_test(a_name_has_a_limited_number_of_addresses),
		cmocka_unit_test(what_it_answered_stays_until_the_next_run_answers),
		cmocka_unit_test(what_was_not_asked_is_a_failure),
	};
	return cmocka_run_group_tests_name("host_agents", tests, NULL, NULL);
}
