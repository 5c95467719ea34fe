/* Starts pool_client. */
#include "live_pool.h"

#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live.h"

#define TIMEOUT 200000

static struct live_program *start(const char *const *argv)
{
	CLEANUP(cleanup_free) char *runtime = mem_printf("XDG_RUNTIME_DIR=%s", live_folder());
	const char *env[] = { runtime, NULL };
	const struct live_program_options options = { .argv = argv, .env = env };
	return live_start(&options);
}

static void finish(struct live_program *program, const char *role)
{
	int status = live_finish(program, TIMEOUT);
	if (status != 0)
		fail_msg("%s: status %d: %s", role, status, live_err(program));
	live_free(program);
}

struct live_program *live_pool_start(const char *conninfo, const char *role, const char *argument)
{
	const char *argv[] = { LIVE_POOL_CLIENT_PATH, conninfo, role, argument, NULL };
	return start(argv);
}

void live_pool_run(const char *conninfo, const char *role, const char *argument)
{
	finish(live_pool_start(conninfo, role, argument), role);
}

void live_pool_run_apart(const char *conninfo, const char *role, const char *argument)
{
	const char *argv[] = { "unshare", "--user", "--map-root-user", "--mount", "--propagation",
		"unchanged", "--pid", "--fork", "--kill-child", LIVE_POOL_CLIENT_PATH, conninfo,
		role, argument, NULL };
	const char *as_root[] = { "unshare", "--mount", "--propagation", "unchanged", "--pid",
		"--fork", "--kill-child", LIVE_POOL_CLIENT_PATH, conninfo, role, argument, NULL };
	finish(start(geteuid() == 0 ? as_root : argv), role);
}
