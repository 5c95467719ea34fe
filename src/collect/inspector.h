/* Inspects processes (proc/inspect) on worker threads, and goes on without a process that
 * hangs in the kernel. */
#ifndef COLLECT_INSPECTOR_H
#define COLLECT_INSPECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct inspect_request;
struct inspector;
struct process_facts;

/* The facts are valid during the call only. */
typedef void inspector_done_fn(void *data, const struct process_facts *facts, size_t n_facts);

/* Never NULL. */
struct inspector *inspector_new(uv_loop_t *loop, inspector_done_fn *done, void *data)
	__attribute__((returns_nonnull));

/* A process hangs that is being read for half of this time at least, and for all of it at most,
 * while the reading thread waits for something else than a processor. A new timeout begins anew for
 * an inspection under way. */
#define INSPECTOR_TIMEOUT INT64_C(2000000)
void inspector_set_timeout(struct inspector *inspector, int64_t timeout);

/* Not while an inspection is under way. The request is copied; `forwards`,
 * `data` and `progress` are set here: collect/relays finds the forwarders. A process that hangs has
 * facts with `hangs` set; once too many of them hang, the processes that were not read have none.
 */
void inspector_begin(struct inspector *inspector, const struct inspect_request *request);

/* How many processes hang now. They are not read until their thread has come back. */
size_t inspector_hanging(const struct inspector *inspector);

/* done is not called any more. A thread that reads keeps its memory until it comes back: run the
 * loop until it is empty. NULL is allowed. */
void inspector_free(struct inspector *inspector);

#endif
