/* E: the emergency on the screen. */
#ifndef DASHBOARD_EMERGENCY_PAGE_H
#define DASHBOARD_EMERGENCY_PAGE_H

#include <stdbool.h>

struct dashboard;
struct emergency_page;

/* Never returns NULL. The dashboard must have its target and its audit log, and
 * outlive the result. */
struct emergency_page *emergency_page_new(struct dashboard *dashboard);

/* Opens the screen, and begins to assess which processes to stop. */
void emergency_page_open(struct emergency_page *page);

/* Begins the emergency if the word was typed. */
void emergency_page_confirm(struct emergency_page *page);

/* Called when the target has a new assessment. NULL is allowed here and below. */
void emergency_page_assessed(struct emergency_page *page);

/* Whether the emergency is being carried out. */
bool emergency_page_busy(const struct emergency_page *page);

/* If the emergency is running, stops it and prints what was done: the terminal must have been
 * restored. The handles close in the loop's next iterations. */
void emergency_page_free(struct emergency_page *page);

#endif
