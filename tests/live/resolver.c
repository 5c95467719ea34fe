#include "resolver.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "live.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int silent_waiting;
static bool silent_released;
static sigset_t silent_blocks; /* the signals that the waiting thread does not take */

static const struct {
	const char *name, *addresses[2];
} names[] = {
	{ "two.test", { "127.0.0.9", "127.0.0.1" } },
	{ "one.test", { "127.0.0.9", NULL } },
	{ "db.test", { "127.0.0.1", NULL } },
};

static void wait_for_release(void)
{
	pthread_mutex_lock(&lock);
	silent_waiting++;
	pthread_sigmask(SIG_SETMASK, NULL, &silent_blocks);
	pthread_cond_broadcast(&changed);
	while (!silent_released)
		pthread_cond_wait(&changed, &lock);
	silent_waiting--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret_found)
{
	look_up_fn *real;
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	memcpy(&real, &symbol, sizeof(real));
	if (name && strcmp(name, "silent.test") == 0) {
		wait_for_release();
		return EAI_AGAIN;
	}
	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		struct addrinfo *found = NULL, **last = &found;
		if (strcmp(names[i].name, name) != 0)
			continue;
		for (size_t a = 0; a < 2 && names[i].addresses[a]; a++) {
			assert_int_equal(real(names[i].addresses[a], service, hints, last), 0);
			while (*last)
				last = &(*last)->ai_next;
		}
		*ret_found = found;
		return 0;
	}
	return real(name, service, hints, ret_found);
}

void resolver_wait_for_silent(int count)
{
	pthread_mutex_lock(&lock);
	while (silent_waiting != count)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void resolver_release_silent(void)
{
	pthread_mutex_lock(&lock);
	silent_released = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void resolver_hold_silent(void)
{
	resolver_wait_for_silent(0);
	silent_released = false;
}

bool resolver_blocks(int signal)
{
	pthread_mutex_lock(&lock);
	bool blocked = sigismember(&silent_blocks, signal);
	pthread_mutex_unlock(&lock);
	return blocked;
}
