/* A command that starts a container: docker, podman or nerdctl run.
 *
 * Its processes need not be the client's descendants, so their container's id has to be known. The
 * engine writes that into a file if it is asked to (--cidfile). */
#ifndef MODES_ENGINE_RUN_H
#define MODES_ENGINE_RUN_H

struct engine_run;

/* If the command starts a container in the foreground or background, returns what is needed to know
 * it; NULL if it does not, or, after a line on stderr, if no file for the id can be made. If the
 * command has no --cidfile, it gets one in a private folder, and a line on stderr says so. The
 * command must outlive the result. */
struct engine_run *engine_run_new(char *const command[]);

/* Removes the private folder. NULL is allowed. */
void engine_run_free(struct engine_run *run);

/* The command to start, for one round: a private file of the round before is removed. */
char *const *engine_run_begin(struct engine_run *run);

/* The file that will have the container's id. */
const char *engine_run_id_file(const struct engine_run *run);

#endif
