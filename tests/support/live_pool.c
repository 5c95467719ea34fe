/* Starts pool_client. */
#include "live_pool.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live.h"

#define PATIENCE 200000

struct live_program *live_pool_start(const char *conninfo, const char *role, const char *argument)
{
	const char *argv[] = { LIVE_POOL_CLIENT_PATH, conninfo, role, argument, NULL };
	CLEANUP(cleanup_free) char *runtime = mem_printf("XDG_RUNTIME_DIR=%s", live_folder());
	const char *env[] = { runtime, NULL };
	const struct live_program_options options = { .argv = argv, .env = env };
	return live_start(&options);
}

void live_pool_run(const char *conninfo, const char *role, const char *argument)
{
	struct live_program *program = live_pool_start(conninfo, role, argument);
	int status = live_finish(program, PATIENCE);
	if (status != 0)
		fail_msg("%s: status %d: %s", role, status, live_err(program));
	live_free(program);
}
