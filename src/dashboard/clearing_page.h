/* The dashboard's page for the stats pages of dead processes: plan, confirmation, result. */
#ifndef DASHBOARD_CLEARING_PAGE_H
#define DASHBOARD_CLEARING_PAGE_H

struct clearing_page_state;
struct dashboard;

/* Never NULL. */
struct clearing_page_state *clearing_page_new(struct dashboard *dashboard);
/* NULL is allowed. */
void clearing_page_free(struct clearing_page_state *page);

/* Opens the plan, or says why there is none. */
void clearing_page_plan(struct clearing_page_state *page);
/* It is confirmed: removes them, and shows the results. */
void clearing_page_confirm(struct clearing_page_state *page);

#endif
