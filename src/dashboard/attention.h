/* The window's title and the bell, for a user who does not see the screen. */
#ifndef DASHBOARD_ATTENTION_H
#define DASHBOARD_ATTENTION_H

struct assessment;
struct attention;
struct dashboard;

/* Enough for any title. */
#define ATTENTION_TITLE_MAX 128

/* "dbtop 4 leaked, 18/25, app@127.0.0.1": the most important first, in ASCII. */
void attention_title(const struct assessment *assessment, char title[static ATTENTION_TITLE_MAX]);

/* Never returns NULL; the caller frees it by free(). */
struct attention *attention_new(void);

/* Call it after each refresh, once the screen is open. */
void attention_update(struct dashboard *dashboard);

/* Call it with each frame: sets the title and rings the bell if needed. */
void attention_show(struct dashboard *dashboard);

#endif
