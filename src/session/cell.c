#include "session/cell.h"

#include <endian.h>
#include <string.h>

#include "base/instant.h"

bool cell_has_rows(const PGresult *result, int columns)
{
	return result && PQresultStatus(result) == PGRES_TUPLES_OK && PQnfields(result) == columns;
}

const char *cell_bytes(const PGresult *result, int row, int column, int size)
{
	if (PQgetisnull(result, row, column) || PQgetlength(result, row, column) != size)
		return NULL;
	return PQgetvalue(result, row, column);
}

int32_t cell_int(const PGresult *result, int row, int column, int32_t otherwise)
{
	uint32_t value;
	const char *bytes = cell_bytes(result, row, column, sizeof(value));
	if (!bytes)
		return otherwise;
	memcpy(&value, bytes, sizeof(value));
	return (int32_t)be32toh(value);
}

static int64_t read_int8(const char *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof(value));
	return (int64_t)be64toh(value);
}

int64_t cell_number(const PGresult *result, int row, int column)
{
	const char *bytes = cell_bytes(result, row, column, sizeof(int64_t));
	return bytes ? read_int8(bytes) : cell_int(result, row, column, -1);
}

bool cell_is_true(const PGresult *result, int row, int column)
{
	const char *bytes = cell_bytes(result, row, column, 1);
	return bytes && *bytes;
}

int64_t cell_instant(const PGresult *result, int row, int column)
{
	const char *bytes = cell_bytes(result, row, column, sizeof(int64_t));
	return bytes ? instant_from_postgres(read_int8(bytes)) : INSTANT_UNKNOWN;
}

const char *cell_text(
	struct arena *arena, const PGresult *result, int row, int column, enum text_kind kind)
{
	if (PQgetisnull(result, row, column))
		return NULL;
	return text_clean(arena, PQgetvalue(result, row, column),
		(size_t)PQgetlength(result, row, column), kind);
}
