#include "session/cell.h"

#include <endian.h>
#include <string.h>

#include "base/instant.h"

bool cell_has_rows(const PGresult *result, int columns)
{
	return result && PQresultStatus(result) == PGRES_TUPLES_OK && PQnfields(result) == columns;
}

struct cell cell_get(const PGresult *result, int row, int column)
{
	size_t length = (size_t)PQgetlength(result, row, column);
	if (!length && PQgetisnull(result, row, column))
		return (struct cell){ 0 };
	return (struct cell){ PQgetvalue(result, row, column), length };
}

static uint32_t read_uint4(const char *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof(value));
	return be32toh(value);
}

static int64_t read_int8(const char *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof(value));
	return (int64_t)be64toh(value);
}

int32_t cell_as_int(struct cell cell, int32_t otherwise)
{
	return cell.length == sizeof(int32_t) ? (int32_t)read_uint4(cell.bytes) : otherwise;
}

bool cell_as_bool(struct cell cell)
{
	return cell.length == 1 && *cell.bytes;
}

int64_t cell_as_instant(struct cell cell)
{
	return cell.length == sizeof(int64_t) ? instant_from_postgres(read_int8(cell.bytes))
					      : INSTANT_UNKNOWN;
}

const char *cell_as_text(struct arena *arena, struct cell cell, enum text_kind kind)
{
	return cell.bytes ? text_clean(arena, cell.bytes, cell.length, kind) : NULL;
}

/* The wire form: the number of fields, then for each its type, its length (−1: NULL) and its bytes.
 * src/backend/utils/adt/rowtypes.c, record_send(). */
bool cell_fields(struct cell record, struct cell *fields, size_t count)
{
	const char *at = record.bytes, *end = record.bytes + record.length;
	memset(fields, 0, count * sizeof(*fields));
	if (record.length < 4 || read_uint4(at) != count)
		return false;
	at += 4;
	for (size_t i = 0; i < count; i++) {
		if (end - at < 8)
			return false;
		uint32_t length = read_uint4(at + 4);
		at += 8;
		if (length == UINT32_MAX)
			continue;
		if (length > (size_t)(end - at))
			return false;
		fields[i] = (struct cell){ at, length };
		at += length;
	}
	return at == end;
}

int32_t cell_int(const PGresult *result, int row, int column, int32_t otherwise)
{
	return cell_as_int(cell_get(result, row, column), otherwise);
}

int64_t cell_number(const PGresult *result, int row, int column)
{
	struct cell cell = cell_get(result, row, column);
	return cell.length == sizeof(int64_t) ? read_int8(cell.bytes) : cell_as_int(cell, -1);
}

bool cell_is_true(const PGresult *result, int row, int column)
{
	return cell_as_bool(cell_get(result, row, column));
}

int64_t cell_instant(const PGresult *result, int row, int column)
{
	return cell_as_instant(cell_get(result, row, column));
}

const char *cell_text(
	struct arena *arena, const PGresult *result, int row, int column, enum text_kind kind)
{
	return cell_as_text(arena, cell_get(result, row, column), kind);
}
