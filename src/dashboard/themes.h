/* The theme of the screen: the one that was asked for, and the next of all there are. */
#ifndef DASHBOARD_THEMES_H
#define DASHBOARD_THEMES_H

struct app;
struct dashboard;

/* Whether the config's theme is there and can be read: a mode without colours refuses it, too. As
 * themes_load(). */
int themes_check(const struct app *app) __attribute__((warn_unused_result));

/* The config's theme. Returns 0, or a negative errno after a line on stderr. */
int themes_load(struct dashboard *dashboard) __attribute__((warn_unused_result));

/* Shows the next theme that can be read; one that cannot is named in the notice. */
void themes_next(struct dashboard *dashboard);

#endif
