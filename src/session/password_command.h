/* Runs the command that prints a password, as secret stores and token services have it. */
#ifndef SESSION_PASSWORD_COMMAND_H
#define SESSION_PASSWORD_COMMAND_H

/* Bytes of the password, with its end. */
#define PASSWORD_MAX 8192

/* Runs argv, which ends with NULL; argv[0] is looked for in PATH, and no shell reads it. Blocks
 * until it ends, its time (`seconds`) is over, or `wake` is readable (−1: never); then the command
 * and what it has started are killed. Its standard input is empty, its standard error is thrown
 * away: nothing that it prints is in any message of ours.
 *
 * Returns NULL, and the first line of its output in ret_password, which the caller wipes; or what
 * went wrong, a text that is static. */
const char *password_command_run(
	const char *const *argv, int seconds, int wake, char ret_password[static PASSWORD_MAX]);

/* A copy of argv, which ends with NULL; NULL for NULL or an empty one. */
char **argv_copy(const char *const *argv);
/* NULL is allowed. */
void argv_free(char **argv);

#endif
