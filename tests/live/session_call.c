#include "session_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "live_group.h"
#include "model/assessment.h"
#include "session/params.h"

static void on_ready(void *data)
{
	struct call *call = data;
	call->ready++;
	uv_stop(&call->loop);
}

/* The first attempt is over. */
static void on_changed(void *data)
{
	struct call *call = data;
	if (session_state(call->session)->status != SERVER_CONNECTING)
		uv_stop(&call->loop);
}

static void on_limit(uv_timer_t *timer)
{
	struct call *call = timer->data;
	call->over = true;
	uv_stop(&call->loop);
}

static void on_tick(uv_timer_t *timer)
{
	struct call *call = timer->data;
	call->ticks++;
}

void call_prepare(struct call *call, bool console, const char *conninfo)
{
	static const struct session_callbacks none;
	struct session_callbacks callbacks = none;
	struct params params = { 0 };
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &error);
	if (!options)
		fail_msg("%s: %s", conninfo, error);
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (option->val)
			params_set(&params, option->keyword, option->val);
	PQconninfoFree(options);
	*call = (struct call){ 0 };
	assert_int_equal(uv_loop_init(&call->loop), 0);
	uv_timer_init(&call->loop, &call->limit);
	uv_timer_init(&call->loop, &call->tick);
	call->limit.data = call->tick.data = call;
	uv_unref((uv_handle_t *)&call->tick);
	uv_timer_start(&call->tick, on_tick, 1, 10);
	callbacks.data = call;
	callbacks.ready = on_ready;
	callbacks.changed = on_changed;
	call->session = console ? session_new_console(&call->loop, &params, &callbacks)
				: session_new(&call->loop, &params, &callbacks);
	params_clear(&params);
}

void call_begin(struct call *call)
{
	call->started_at = instant_monotonic();
	session_start(call->session);
}

static void wait_for_outcome(struct call *call, int ms)
{
	uv_timer_start(&call->limit, on_limit, (uint64_t)live_patience(ms), 0);
	uv_run(&call->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&call->limit);
	if (call->over)
		fail_msg("no outcome within %d ms", ms);
}

int64_t call_elapsed_ms(const struct call *call)
{
	return (instant_monotonic() - call->started_at) / USEC_PER_MSEC;
}

void call_end(struct call *call)
{
	session_free(call->session);
	uv_close((uv_handle_t *)&call->limit, NULL);
	uv_close((uv_handle_t *)&call->tick, NULL);
	uv_run(&call->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&call->loop), 0);
}

void call_start(struct call *call, const char *format, ...)
{
	CLEANUP(cleanup_free) char *base = live_conninfo(server, LIVE_TCP4, NULL);
	char *more;
	va_list args;
	va_start(args, format);
	assert_true(vasprintf(&more, format, args) >= 0);
	va_end(args);
	/* the later of two counts */
	CLEANUP(cleanup_free) char *conninfo = mem_printf("%s %s", base, more);
	free(more);
	call_prepare(call, false, conninfo);
	call_begin(call);
}

void call_assert_ready(struct call *call)
{
	wait_for_outcome(call, 20000);
	if (!session_is_ready(call->session))
		fail_msg("not connected: %s", session_state(call->session)->error);
}

void call_assert_error(struct call *call, const char *text)
{
	wait_for_outcome(call, 20000);
	const char *error = session_state(call->session)->error;
	assert_false(session_is_ready(call->session));
	if (!error || !strstr(error, text))
		fail_msg("the error is \"%s\", not \"%s\"", error ? error : "", text);
}

static void ref_handle(uv_handle_t *handle, void *data)
{
	(void)data;
	uv_ref(handle);
}

void call_end_beside_look_up(struct call *call)
{
	session_free(call->session);
	uv_close((uv_handle_t *)&call->tick, NULL);
	uv_unref((uv_handle_t *)&call->limit);
	uv_timer_start(&call->limit, on_limit, (uint64_t)live_patience(20000), 0);
	assert_int_equal(uv_run(&call->loop, UV_RUN_DEFAULT), 0);
	assert_false(call->over);
	uv_close((uv_handle_t *)&call->limit, NULL);
	uv_run(&call->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&call->loop), UV_EBUSY);
}

void call_end_after_look_up(struct call *call)
{
	uv_walk(&call->loop, ref_handle, NULL);
	assert_int_equal(uv_run(&call->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&call->loop), 0);
}
