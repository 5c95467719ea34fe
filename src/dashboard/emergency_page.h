/* E: the emergency on the screen. */
#ifndef DASHBOARD_EMERGENCY_PAGE_H
#define DASHBOARD_EMERGENCY_PAGE_H

#include <stdbool.h>

struct dashboard;
struct emergency_page;

/* Never NULL. The dashboard has its target and its audit log, and outlives it. */
struct emergency_page *emergency_page_new(struct dashboard *dashboard);

/* Opens the page, and looks for whom it would stop. */
void emergency_page_open(struct emergency_page *page);

/* Begins, if the word was typed. */
void emergency_page_confirm(struct emergency_page *page);

/* The target has a new assessment. NULL is allowed here and below. */
void emergency_page_assessed(struct emergency_page *page);

/* It is carried out. */
bool emergency_page_busy(const struct emergency_page *page);

/* In the middle of things it stops, and prints what was done: the screen must have been given back.
 * The handles close in the loop's next turns. */
void emergency_page_free(struct emergency_page *page);

#endif
