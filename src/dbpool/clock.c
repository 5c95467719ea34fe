/* The time.
 *
 * Two clock readings are half of the cost of an uncontended acquire and release: clock_gettime()
 * takes about 27 ns, the processor's counter 12. So the keeper compares the two about once a
 * second, and in between the counter is read. The counter is used only if the processor says that
 * it runs at one rate and never stops, and while the kernel uses it, too. A comparison is used for
 * a few seconds only. So if the counter becomes wrong (the machine was suspended or migrated, the
 * keeper has ended), readings are wrong for no longer than that. */
#include "dbpool/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define NSEC_PER_USEC 1000
#define SHORTEST_SPAN INT64_C(5000000) /* nanoseconds between two comparisons that yield a rate */
#define LONGEST_SPAN  INT64_C(10000000000)
#define GOOD_FOR      INT64_C(2500000000) /* nanoseconds for which a comparison is used */
#define READINGS      5                   /* per comparison: the shortest one counts */
#define TOLERANCE     2000 /* two rates agree if they differ by at most one part in this many */
#define ASK_AFTER     INT64_C(60000000000) /* nanoseconds until the kernel is asked again */
#define FRACTION_BITS 32
#define FRACTION      4294967296.0

/* One moment on both clocks, and the counter's rate. Guarded by a sequence lock, as on the stats
 * page; only clock_tune() writes. */
static struct {
	_Atomic uint32_t seq;
	_Atomic uint64_t ticks;
	_Atomic int64_t usec;
	_Atomic uint64_t rate;     /* microseconds a tick, × 2^32 */
	_Atomic uint64_t good_for; /* ticks; 0: the counter must not be used */
} base;

struct moment {
	uint64_t ticks;
	int64_t nsec;
};

static pthread_mutex_t tuning = PTHREAD_MUTEX_INITIALIZER;
static struct moment last;
static uint64_t last_rate;

static int64_t now_nsec(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int64_t now_usec(void)
{
	return now_nsec() / NSEC_PER_USEC;
}

struct timespec to_timespec(int64_t usec)
{
	return (struct timespec){ .tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000 };
}

#if defined(__x86_64__)
static uint64_t read_counter(void)
{
	return __rdtsc();
}

static bool says_it_is_steady(void)
{
	unsigned a, b, c, d = 0;
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1U << 8; /* "invariant TSC" */
}
#else
static uint64_t read_counter(void)
{
	return 0;
}

static bool says_it_is_steady(void)
{
	return false;
}
#endif

/* True when the kernel uses the counter as its clock, directly or through the hypervisor. Otherwise
 * the kernel has found it unreliable. */
static bool kernel_trusts_it(void)
{
	static const char *const good[] = { "tsc\n", "kvm-clock\n",
		"hyperv_clocksource_tsc_page\n" };
	char name[64] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, name, sizeof(name) - 1);
	close(fd);
	for (size_t i = 0; n > 0 && i < sizeof(good) / sizeof(good[0]); i++)
		if (strcmp(name, good[i]) == 0)
			return true;
	return false;
}

int64_t now_quick(void)
{
	uint32_t seq = atomic_load_explicit(&base.seq, memory_order_acquire);
	uint64_t ticks = atomic_load_explicit(&base.ticks, memory_order_acquire);
	int64_t usec = atomic_load_explicit(&base.usec, memory_order_acquire);
	uint64_t rate = atomic_load_explicit(&base.rate, memory_order_acquire);
	uint64_t good_for = atomic_load_explicit(&base.good_for, memory_order_acquire);
	/* huge if another processor's counter is behind: then the clock is read */
	uint64_t passed = read_counter() - ticks;
	if (passed >= good_for || seq & 1 ||
		atomic_load_explicit(&base.seq, memory_order_relaxed) != seq)
		return now_usec();
	return usec + (int64_t)(passed * rate >> FRACTION_BITS);
}

static void publish(const struct moment *moment, uint64_t rate, uint64_t good_for)
{
	uint32_t seq = atomic_load_explicit(&base.seq, memory_order_relaxed);
	atomic_store_explicit(&base.seq, seq + 1, memory_order_relaxed);
	atomic_store_explicit(&base.ticks, moment->ticks, memory_order_release);
	atomic_store_explicit(&base.usec, moment->nsec / NSEC_PER_USEC, memory_order_release);
	atomic_store_explicit(&base.rate, rate, memory_order_release);
	atomic_store_explicit(&base.good_for, good_for, memory_order_release);
	atomic_store_explicit(&base.seq, seq + 2, memory_order_release);
}

/* Reads the clock between two readings of the counter; uses the pair of readings that are closest
 * together. */
static struct moment compare(void)
{
	struct moment best = { 0, 0 };
	uint64_t narrowest = UINT64_MAX;
	for (int i = 0; i < READINGS; i++) {
		uint64_t before = read_counter();
		int64_t nsec = now_nsec();
		uint64_t width = read_counter() - before;
		if (width < narrowest) {
			narrowest = width;
			best = (struct moment){ before + width / 2, nsec };
		}
	}
	return best;
}

static bool agree(uint64_t a, uint64_t b)
{
	uint64_t difference = a > b ? a - b : b - a;
	return difference <= a / TOLERANCE;
}

/* The mutex `tuning` is held. */
static void tune(void)
{
	struct moment now = compare();
	int64_t nsec = now.nsec - last.nsec;
	uint64_t ticks = now.ticks - last.ticks, rate = 0;
	if (last.nsec && nsec < SHORTEST_SPAN)
		return;
	if (last.nsec && nsec < LONGEST_SPAN && ticks)
		rate = (uint64_t)((double)nsec / NSEC_PER_USEC / (double)ticks * FRACTION);
	bool good = rate && agree(rate, last_rate);
	publish(&now, rate, good ? (uint64_t)((double)ticks / (double)nsec * GOOD_FOR) : 0);
	last = now;
	last_rate = rate;
}

/* The kernel may mark the counter as unstable at any time. */
static bool is_trusted(void)
{
	static int64_t asked;
	static bool trusted;
	int64_t nsec = now_nsec();
	if (!asked || nsec - asked >= ASK_AFTER) {
		asked = nsec;
		trusted = says_it_is_steady() && kernel_trusts_it();
	}
	return trusted;
}

/* Stops the use of the counter until two comparisons agree again. */
static void forget(void)
{
	if (last.nsec)
		publish(&last, 0, 0);
	last = (struct moment){ 0, 0 };
	last_rate = 0;
}

void clock_tune(void)
{
	/* in a child that was forked during this function the mutex stays locked: now_quick() then
	 * reads the clock */
	if (pthread_mutex_trylock(&tuning) != 0)
		return;
	if (is_trusted())
		tune();
	else
		forget();
	pthread_mutex_unlock(&tuning);
}
