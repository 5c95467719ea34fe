/* Processes with a pool: tests/live/pool_client.c tells the roles. */
#ifndef LIVE_POOL_H
#define LIVE_POOL_H

struct live_program;

/* Its stats pages are in live_folder(). A NULL argument is none. */
struct live_program *live_pool_start(const char *conninfo, const char *role, const char *argument);

/* Runs it to its end, which must be good: status 0. */
void live_pool_run(const char *conninfo, const char *role, const char *argument);

/* The same in a pid namespace and a mount namespace of its own, in which it is root. */
void live_pool_run_apart(const char *conninfo, const char *role, const char *argument);

#endif
