/* The settings of this run: the config file, overridden by the options. */
#ifndef MODES_SETTINGS_H
#define MODES_SETTINGS_H

#include <stdbool.h>

struct app;

/* Reads the settings into the app, which has its options and the check; the caller frees them with
 * settings_release(), also after an error. Returns 0, or a negative errno after one line on stderr,
 * which is also in app->error as far as it is known there. */
int settings_read(struct app *app) __attribute__((warn_unused_result));

/* Reads how the servers and the consoles are connected. The same. */
int settings_read_servers(struct app *app) __attribute__((warn_unused_result));

/* Adds the configuration's databases that are not among the servers yet. The options of the command
 * line (-h, -p, -U, -d) are not for them. Returns what is wrong with one that cannot be read, which
 * the caller frees; NULL: nothing. */
char *settings_add_databases(struct app *app) __attribute__((warn_unused_result));

/* Instead of that, for modes that connect to nothing that the options name: one server without
 * parameters. */
void settings_read_no_server(struct app *app);

void settings_release(struct app *app);

/* Reads the config file again. 0: the app has new settings, and *ret_before, which is empty, has
 * the old ones: the caller releases them. Otherwise nothing is changed, as above. */
int settings_read_again(struct app *app, struct app *ret_before)
	__attribute__((warn_unused_result));

/* Whether both connect to the same places in the same way. */
bool settings_same_servers(const struct app *a, const struct app *b);

#endif
