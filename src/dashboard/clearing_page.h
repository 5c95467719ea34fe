/* The dashboard's screen for removing the stats pages of dead processes: plan, confirmation,
 * result. */
#ifndef DASHBOARD_CLEARING_PAGE_H
#define DASHBOARD_CLEARING_PAGE_H

struct clearing_page_state;
struct dashboard;

/* Never returns NULL. */
struct clearing_page_state *clearing_page_new(struct dashboard *dashboard);
/* NULL is allowed. */
void clearing_page_free(struct clearing_page_state *page);

/* Opens the plan, or a notice that says why there is none. */
void clearing_page_plan(struct clearing_page_state *page);
/* Called when the plan is confirmed: removes the pages and shows the results. */
void clearing_page_confirm(struct clearing_page_state *page);

#endif
