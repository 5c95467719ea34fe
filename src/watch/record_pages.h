/* Which stats pages the watch could not use, in the record. */
#ifndef WATCH_RECORD_PAGES_H
#define WATCH_RECORD_PAGES_H

struct assessment;
struct shutdown_record;

/* Call it after pool_phases_find(), with an assessment that is new. */
void record_pages(struct shutdown_record *record, const struct assessment *assessment);

#endif
