/* An outbox's file, in a folder of its own. */
#ifndef OUTBOX_FIXTURE_H
#define OUTBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "outbox/dboutbox.h"
#include "outbox/statement.h"

static char folder[64], path[80];

static inline void remove_file(const char *suffix)
{
	char name[128];
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	unlink(name);
}

static inline int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_outbox.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/box", folder);
	return 0;
}

static inline int clean_up(void **state)
{
	(void)state;
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock", "-journal", "-copy" };
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		remove_file(suffixes[i]);
	return rmdir(folder);
}

static inline struct dboutbox_config standard(void)
{
	return (struct dboutbox_config){ .size = sizeof(struct dboutbox_config), .path = path };
}

static inline struct dboutbox *open_with(const struct dboutbox_config *config)
{
	int error;
	struct dboutbox *outbox = dboutbox_open(config, &error);
	if (!outbox)
		fail_msg("%s: %s", dboutbox_result_name(error), dboutbox_error());
	assert_int_equal(error, 0);
	return outbox;
}

static inline struct dboutbox *open_standard(void)
{
	struct dboutbox_config config = standard();
	return open_with(&config);
}

static inline int write_number(struct dboutbox *outbox, int number)
{
	char text[24];
	snprintf(text, sizeof(text), "%d", number);
	const char *const params[] = { text };
	const struct dboutbox_statement statement = {
		.sql = "INSERT INTO t VALUES ($1)", .n_params = 1, .params = params
	};
	return dboutbox_write(outbox, &statement);
}

static inline struct dboutbox_stats stats_of(struct dboutbox *outbox)
{
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	return stats;
}

#endif
