/* The thread and the loop share one struct, guarded by its lock. The loop frees it after it has
 * joined the thread; until then the loop's handle stays open. */
#include "session/dial.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "session/params.h"
#include "session/password_command.h"
#include "session/round.h"

struct dial {
	uv_async_t async;
	struct dial_callbacks callbacks; /* used by the loop only */
	pthread_t thread;
	char **command;  /* that prints the password; NULL: none */
	bool has_thread; /* a thread was started and is not joined yet */

	struct round round; /* owned by the thread until `ended`, then by the loop */

	pthread_mutex_t lock; /* guards the members below */
	bool abandoned;       /* dial_abandon() was called */
	bool ended;           /* the round is over */
	bool is_located;      /* `where` is new: located() was not called with it yet */
	bool trying, looking_up;
	struct peers_target where;
};

static bool on_step(void *data, enum round_step step)
{
	struct dial *dial = data;
	pthread_mutex_lock(&dial->lock);
	dial->looking_up = step == ROUND_LOOKS_UP;
	dial->trying = step == ROUND_TRIES;
	bool abandoned = dial->abandoned;
	pthread_mutex_unlock(&dial->lock);
	return !abandoned;
}

static void on_located(void *data, const struct peers_target *where)
{
	struct dial *dial = data;
	pthread_mutex_lock(&dial->lock);
	dial->where = *where;
	dial->is_located = true;
	uv_async_send(&dial->async);
	pthread_mutex_unlock(&dial->lock);
}

static void *run(void *data)
{
	struct dial *dial = data;
	round_run(&dial->round);
	pthread_mutex_lock(&dial->lock);
	dial->ended = true;
	uv_async_send(&dial->async);
	pthread_mutex_unlock(&dial->lock);
	return NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct dial *dial = handle->data;
	if (dial->round.wake >= 0)
		close(dial->round.wake);
	round_clear(&dial->round);
	argv_free(dial->command);
	pthread_mutex_destroy(&dial->lock);
	free(dial);
}

/* Called when the round is over. */
static void finish(struct dial *dial)
{
	struct dial_callbacks callbacks = dial->callbacks;
	if (dial->has_thread)
		pthread_join(dial->thread, NULL);
	uv_close((uv_handle_t *)&dial->async, on_closed);
	if (dial->abandoned)
		return;
	const struct dial_result result = {
		.conn = dial->round.conn,
		.error = dial->round.error,
		.seconds = dial->round.seconds,
		.verified = dial->round.verified,
	};
	dial->round.conn = NULL;
	callbacks.done(callbacks.data, &result);
}

static void on_async(uv_async_t *async)
{
	struct dial *dial = async->data;
	pthread_mutex_lock(&dial->lock);
	bool located = dial->is_located, ended = dial->ended;
	struct peers_target where = dial->where;
	dial->is_located = false;
	pthread_mutex_unlock(&dial->lock);
	/* the callback may abandon the dial */
	if (located && !dial->abandoned && dial->callbacks.located)
		dial->callbacks.located(dial->callbacks.data, &where);
	if (ended)
		finish(dial);
}

struct dial *dial_start(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const struct dial_callbacks *callbacks)
{
	return dial_start_asking(loop, params, seconds, NULL, callbacks);
}

struct dial *dial_start_asking(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const char *const *command, const struct dial_callbacks *callbacks)
{
	struct dial *dial = mem_alloc(sizeof(*dial));
	dial->callbacks = *callbacks;
	dial->command = argv_copy(command);
	pthread_mutex_init(&dial->lock, NULL);
	dial->round = (struct round){
		.seconds = seconds,
		.password_command = (const char *const *)dial->command,
		.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.hooks = { .data = dial, .step = on_step, .located = on_located },
	};
	params_lay_over(&dial->round.params, params);
	/* uv_async_init() fails only for a loop that is not initialized. */
	(void)uv_async_init(loop, &dial->async, on_async);
	dial->async.data = dial;
	int r = thread_start(&dial->thread, run, dial);
	dial->has_thread = r == 0;
	if (r != 0) {
		dial->round.error = mem_printf("no thread can be started: %s", strerror(r));
		dial->ended = true;
		uv_async_send(&dial->async);
	}
	return dial;
}

bool dial_is_trying(struct dial *dial)
{
	pthread_mutex_lock(&dial->lock);
	bool trying = dial->trying;
	pthread_mutex_unlock(&dial->lock);
	return trying;
}

void dial_abandon(struct dial *dial)
{
	if (!dial)
		return;
	pthread_mutex_lock(&dial->lock);
	dial->abandoned = true;
	if (dial->round.wake >= 0)
		(void)eventfd_write(dial->round.wake, 1);
	/* the loop must not wait for a look-up, which may take half a minute */
	if (dial->looking_up)
		uv_unref((uv_handle_t *)&dial->async);
	pthread_mutex_unlock(&dial->lock);
}
