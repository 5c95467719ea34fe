/* The current theme, and switching to the next one. */
#ifndef DASHBOARD_THEMES_H
#define DASHBOARD_THEMES_H

struct app;
struct dashboard;
struct display;

/* Whether the config's theme exists and can be read; modes without colours check it, too. Returns
 * as themes_load() does. */
int themes_check(const struct app *app) __attribute__((warn_unused_result));

/* Loads the config's theme. Returns 0, or a negative errno after it printed a line on stderr. */
int themes_load(struct display *display) __attribute__((warn_unused_result));

/* Shows the next theme that can be read; a notice names one that cannot. */
void themes_next(struct dashboard *dashboard);

#endif
