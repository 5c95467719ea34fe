/* Unit tests of libdbpool's quick clock: it checks again and again whether the kernel trusts the
 * processor's counter, and stops using the counter if not. The test controls the time and the
 * kernel's file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "dbpool/clock.h"

#define MINUTE 61 /* seconds, and a little more */

static const char *source; /* the content of the kernel's file */
static time_t passed;      /* seconds that the clock is ahead */
static unsigned readings;  /* of the clock */

/* The linker replaces the library's calls by these. */
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_open(const char *path, int flags, ...)
{
	(void)flags;
	assert_non_null(strstr(path, "current_clocksource"));
	int fd = memfd_create("source", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, source, strlen(source), 0), strlen(source));
	return fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = __real_clock_gettime(clock, ts);
	ts->tv_sec += passed;
	readings++;
	return r;
}

/* True if this processor has a counter that can be used. */
static bool has_counter(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d = 0;
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1U << 8;
#else
	return false;
#endif
}

static bool reads_clock(void)
{
	unsigned before = readings;
	(void)now_quick();
	return readings != before;
}

static bool becomes_quick(int tries)
{
	for (int i = 0; i < tries; i++) {
		clock_tune();
		if (!reads_clock())
			return true;
		usleep(6000);
	}
	return false;
}

static void it_asks_the_kernel_again(void **state)
{
	(void)state;
	source = "tsc\n";
	assert_int_equal(becomes_quick(500), has_counter());
	source = "hpet\n";
	passed += MINUTE;
	assert_false(becomes_quick(50));
	source = "tsc\n";
	assert_false(becomes_quick(5));
	passed += MINUTE;
	assert_int_equal(becomes_quick(500), has_counter());
	/* the kernel marked the counter as unreliable during use: the next check stops its use */
	source = "acpi_pm\n";
	passed += MINUTE;
	clock_tune();
	assert_true(reads_clock());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_asks_the_kernel_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
