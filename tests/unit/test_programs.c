/* model/programs: what the name of a program's file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/programs.h"

/* The names of the files as the kernel shows them: pasta is a link to passt, which starts another
 * file where the processor allows it. */
static void networks_of_containers_are_forwarders(void **state)
{
	(void)state;
	static const char *const names[] = { "docker-proxy", "rootlessport", "rootlesskit",
		"slirp4netns", "pasta", "pasta.avx2", "passt", "passt.avx2", "gvproxy", "kubectl",
		"kubelet", "containerd", "crio", "dockerd" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (program_kind_of(names[i], NULL) != PROGRAM_FORWARDER)
			fail_msg("%s", names[i]);
}

static void other_names_say_nothing(void **state)
{
	(void)state;
	static const char *const names[] = { "", "java", "passt.sh2", "avx2", "docker-proxy2",
		"my-docker-proxy", "python3" };
	assert_int_equal(program_kind(NULL), PROGRAM_UNKNOWN);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(program_kind(names[i]), PROGRAM_UNKNOWN);
}

/* A script is an agent or a tool by its name, and never a forwarder, a pooler or PostgreSQL. */
static void a_script_is_a_tool_at_most(void **state)
{
	(void)state;
	assert_int_equal(program_kind_of("python3", "patroni"), PROGRAM_HA_AGENT);
	assert_int_equal(program_kind_of("python3", "pgcli.py"), PROGRAM_TOOL);
	assert_int_equal(program_kind_of("python3", "socat.py"), PROGRAM_UNKNOWN);
	assert_int_equal(program_kind_of("python3", "pgbouncer"), PROGRAM_UNKNOWN);
	assert_int_equal(program_kind_of("ruby", "postgres"), PROGRAM_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_of_containers_are_forwarders),
		cmocka_unit_test(other_names_say_nothing),
		cmocka_unit_test(a_script_is_a_tool_at_most),
	};
	return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
