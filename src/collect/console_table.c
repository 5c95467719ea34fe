/* Finds text cells by column name. */
#include "collect/console_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/instant.h"
#include "base/map.h"
#include "base/text.h"

bool console_table_read(struct console_table *table, const PGresult *result,
	const char *const *names, size_t n_names, size_t n_needed)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK || n_names > CONSOLE_COLUMNS_MAX)
		return false;
	table->result = result;
	table->rows = PQntuples(result);
	for (size_t i = 0; i < n_names; i++) {
		table->columns[i] = PQfnumber(result, names[i]);
		if (i < n_needed && table->columns[i] < 0)
			return false;
	}
	return true;
}

const char *console_table_raw(const struct console_table *table, int row, size_t column)
{
	if (table->columns[column] < 0)
		return "";
	return PQgetvalue(table->result, row, table->columns[column]);
}

const char *console_table_text(
	const struct console_table *table, int row, size_t column, struct arena *arena)
{
	const char *raw = console_table_raw(table, row, column);
	return *raw ? text_clean(arena, raw, strlen(raw), TEXT_LINE) : NULL;
}

int64_t console_table_count(const struct console_table *table, int row, size_t column)
{
	const char *raw = console_table_raw(table, row, column);
	char *end;
	errno = 0;
	long long count = strtoll(raw, &end, 10);
	return errno || end == raw || *end || count < 0 ? -1 : count;
}

int64_t console_table_duration(
	const struct console_table *table, int row, size_t seconds, size_t microseconds)
{
	int64_t whole = console_table_count(table, row, seconds);
	int64_t rest = console_table_count(table, row, microseconds);
	if (whole < 0 || whole > INT32_MAX)
		return -1;
	return whole * USEC_PER_SEC + (rest > 0 && rest < USEC_PER_SEC ? rest : 0);
}

struct endpoint console_table_endpoint(
	const struct console_table *table, int row, size_t address, size_t port)
{
	/* 1.18 has "unix", in some versions followed by other words */
	const char *text = console_table_raw(table, row, address);
	int64_t number = console_table_count(table, row, port);
	uint8_t bytes[16];
	if (strncmp(text, "unix", 4) == 0)
		return (struct endpoint){ .family = AF_UNIX };
	if (number < 0 || number > UINT16_MAX)
		return (struct endpoint){ .family = AF_UNSPEC };
	if (inet_pton(AF_INET, text, bytes) == 1)
		return endpoint_make(AF_INET, bytes, (uint16_t)number);
	if (inet_pton(AF_INET6, text, bytes) == 1)
		return endpoint_make(AF_INET6, bytes, (uint16_t)number);
	return (struct endpoint){ .family = AF_UNSPEC };
}

uint64_t console_table_hash(const struct console_table *table, int row, size_t column)
{
	const char *raw = console_table_raw(table, row, column);
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	if (!*raw)
		return 0;
	for (; *raw; raw++)
		hash = (hash ^ (unsigned char)*raw) * UINT64_C(1099511628211);
	return map_mix(hash, 0) | 1;
}
