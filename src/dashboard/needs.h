/* Which keys can work now. A key that cannot is not shown. */
#ifndef DASHBOARD_NEEDS_H
#define DASHBOARD_NEEDS_H

struct dashboard;

/* The needs that are met on the screen on top: 1 << enum key_need each. */
unsigned int needs_met(const struct dashboard *dashboard);

#endif
