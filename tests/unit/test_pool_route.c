/* Unit tests: how libdbpool reads connection strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dbpool/route.h"

/* libpq warns on stderr about a password file that others can read. Only the attempt itself may
 * cause this warning. */
static void no_password_file_is_read(void **state)
{
	(void)state;
	char path[] = "/tmp/test-pool-route-XXXXXX", said[1000];
	static const char line[] = "*:*:*:*:from-the-file\n";
	struct routes routes;
	int fd = mkstemp(path), before = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	assert_true(fd >= 0 && before >= 0 && file);
	assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	setenv("PGPASSFILE", path, 1);
	unsetenv("PGPASSWORD");
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	int r = routes_read("host=db,db2 user=app port=5,6", &routes);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	unlink(path);
	assert_int_equal(r, 0);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(said, "");
	assert_int_equal(routes.n, 2);
	assert_string_equal(routes.hosts[1].host, "db2");
	assert_string_equal(routes.hosts[1].port, "6");
	routes_clear(&routes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_password_file_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
