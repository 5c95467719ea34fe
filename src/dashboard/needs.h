/* What keys need of the moment: a key that can do nothing is not offered. */
#ifndef DASHBOARD_NEEDS_H
#define DASHBOARD_NEEDS_H

struct dashboard;

/* What there is of it for the page on top: 1 << enum key_need each. */
unsigned int needs_met(const struct dashboard *dashboard);

#endif
