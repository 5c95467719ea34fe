/* What tells somebody who looks elsewhere: the window's title, and the bell. */
#ifndef DASHBOARD_ATTENTION_H
#define DASHBOARD_ATTENTION_H

struct assessment;
struct dashboard;

/* Enough for any title. */
#define ATTENTION_TITLE_MAX 128

/* "dbtop 4 leaked, 18/25, app@127.0.0.1": what matters first, in ASCII. */
void attention_title(const struct assessment *assessment, char title[static ATTENTION_TITLE_MAX]);

/* After each refresh, once the screen is there. */
void attention_update(struct dashboard *dashboard);

/* With each frame: sets the title and rings the bell, where that is due. */
void attention_show(struct dashboard *dashboard);

#endif
