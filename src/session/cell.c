#include "session/cell.h"

#include <endian.h>
#include <string.h>

bool cell_has_rows(const PGresult *result, int columns)
{
	return result && PQresultStatus(result) == PGRES_TUPLES_OK && PQnfields(result) == columns;
}

int64_t cell_number(const PGresult *result, int row, int column)
{
	uint64_t value;
	uint32_t small;
	int length = PQgetlength(result, row, column);
	if (PQgetisnull(result, row, column))
		return -1;
	if (length == sizeof(small)) {
		memcpy(&small, PQgetvalue(result, row, column), sizeof(small));
		return (int32_t)be32toh(small);
	}
	if (length != sizeof(value))
		return -1;
	memcpy(&value, PQgetvalue(result, row, column), sizeof(value));
	return (int64_t)be64toh(value);
}

bool cell_is_true(const PGresult *result, int row, int column)
{
	return !PQgetisnull(result, row, column) && PQgetlength(result, row, column) == 1 &&
		*PQgetvalue(result, row, column);
}
