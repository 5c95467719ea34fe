/* The table of all screens. */
#ifndef DASHBOARD_SCREENS_H
#define DASHBOARD_SCREENS_H

#include <stddef.h>

struct dashboard;
struct screen;
struct view;

/* The index-th screen; NULL after the last one. */
const struct screen *screens_get(size_t index);

/* The screen on top. Never NULL. */
const struct screen *screens_top(const struct dashboard *dashboard);

/* Notifies all screens of a new assessment. */
void screens_assessed(struct dashboard *dashboard);

/* Enters and leaves the screens that were opened and closed since the last call. */
void screens_follow(struct dashboard *dashboard);

/* Brings what the open screens show up to date. */
void screens_settle(struct dashboard *dashboard);

#endif
