/* Which keys can work now. A key that cannot is not shown. */
#ifndef DASHBOARD_KEY_AVAILABILITY_H
#define DASHBOARD_KEY_AVAILABILITY_H

struct dashboard;

/* The needs that are met on the screen on top: 1 << enum key_need each. */
unsigned int key_availability(const struct dashboard *dashboard);

#endif
