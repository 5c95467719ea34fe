/* Processes with a pool: tests/live/pool_client.c tells the roles. */
#ifndef LIVE_POOL_H
#define LIVE_POOL_H

/* The application_name of connections that the roles watch the server with. Nobody waits for the
 * end of their sessions, so that the server may still count one when the process has ended. */
#define LIVE_POOL_ASIDE "aside"

/* For live_sessions(): all others, those of refused and given up connections among them. */
#define LIVE_POOL_SESSIONS "application_name <> '" LIVE_POOL_ASIDE "'"

struct live_program;

/* Its stats pages are in live_folder(). A NULL argument is none. */
struct live_program *live_pool_start(const char *conninfo, const char *role, const char *argument);

/* Runs it to its end, which must be good: status 0. */
void live_pool_run(const char *conninfo, const char *role, const char *argument);

/* The same in a pid namespace and a mount namespace of its own, in which it is root. */
void live_pool_run_apart(const char *conninfo, const char *role, const char *argument);

#endif
