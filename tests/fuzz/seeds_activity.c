/* Rows of pg_stat_activity as a server sends them: our own with the facts of the server, a client's
 * over IPv4 and one's over IPv6, and one that is hidden from our role. */
#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "make_seeds.h"

#define NULL_CELL  255
#define FACTS      12
#define AFTER_2000 INT64_C(823176224000000) /* 2026-01-31, µs */

struct bytes {
	uint8_t bytes[1024];
	size_t size;
};

static void add(struct bytes *to, const void *bytes, size_t size)
{
	MUST(size < NULL_CELL - 1 && to->size + size < sizeof(to->bytes));
	to->bytes[to->size++] = (uint8_t)size;
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void add_null(struct bytes *to, int count)
{
	for (int i = 0; i < count; i++)
		to->bytes[to->size++] = NULL_CELL;
}

static void add_text(struct bytes *to, const char *text)
{
	add(to, text, strlen(text));
}

static void add_int(struct bytes *to, int32_t value)
{
	uint32_t wire = htobe32((uint32_t)value);
	add(to, &wire, sizeof(wire));
}

static void add_instant(struct bytes *to, int64_t usec)
{
	uint64_t wire = htobe64((uint64_t)(AFTER_2000 + usec));
	add(to, &wire, sizeof(wire));
}

static void add_bool(struct bytes *to, bool value)
{
	uint8_t wire = value;
	add(to, &wire, sizeof(wire));
}

/* From pid to the age of its snapshot. */
static void add_client(struct bytes *to, int32_t pid, const char *address, size_t size)
{
	add_int(to, pid);
	add_instant(to, 0);
	add_text(to, "client backend");
	add_text(to, "shop");
	add_text(to, "app");
	add_text(to, "orders/4711/0");
	if (address)
		add(to, address, size);
	else
		add_null(to, 1);
	add_int(to, address ? 40000 : -1);
	add_text(to, "idle in transaction");
	add_instant(to, 3000000);
	add_instant(to, 2000000);
	add_instant(to, 1000000);
	add_text(to, "Client");
	add_text(to, "ClientRead");
	add_text(to, "/* x */ listen\n\tnews; \xff\x1b[2J");
	add_bool(to, true);
	add_text(to, "4712, 4713");
	add_int(to, 1234);
	add_text(to, "LATIN1");
	add_int(to, 20);
	add_int(to, -1);
}

/* A field of a record: its type, its length and its bytes. */
static void add_field(struct bytes *record, const void *bytes, size_t size)
{
	const uint32_t head[] = { htobe32(23), htobe32((uint32_t)size) };
	memcpy(record->bytes + record->size, head, sizeof(head));
	memcpy(record->bytes + record->size + sizeof(head), bytes, size);
	record->size += sizeof(head) + size;
}

static void add_facts(struct bytes *to)
{
	const uint32_t slots = htobe32(25), reserved = htobe32(3), port = htobe32(5432);
	const uint64_t start = htobe64(AFTER_2000 - 1), clock = htobe64(AFTER_2000 + 4000000);
	const uint32_t count = htobe32(FACTS);
	struct bytes record = { .size = sizeof(count) };
	memcpy(record.bytes, &count, sizeof(count));
	add_field(&record, "LATIN9", 6);
	add_field(&record, &slots, sizeof(slots));
	add_field(&record, &reserved, sizeof(reserved));
	add_field(&record, &start, sizeof(start));
	add_field(&record, &clock, sizeof(clock));
	add_field(&record, "", 1); /* false */
	add_field(&record, "\1", 1);
	add_field(&record, "\1", 1);
	add_field(&record, &port, sizeof(port));
	add_field(&record, "0", 1);
	add_field(&record, "0", 1);
	add_field(&record, "12h", 3);
	add(to, record.bytes, record.size);
}

/* A role that may not see it gets the pid, and a text that says so. */
static void add_hidden(struct bytes *to)
{
	add_int(to, 814);
	add_null(to, 13);
	add_text(to, "<insufficient privilege>");
	add_bool(to, false);
	add_null(to, 2 + 3 + 1);
}

static void write_rows(const char *folder, const char *name, uint8_t first)
{
	static const char v4[] = "\2\x20\0\4\x7f\0\0\1";
	static const char v6[] = "\3\x80\0\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1";
	struct bytes rows = { { first }, 1 };
	add_client(&rows, 811, NULL, 0);
	add_facts(&rows);
	add_client(&rows, 812, v4, sizeof(v4) - 1);
	add_null(&rows, 1);
	add_client(&rows, 813, v6, sizeof(v6) - 1);
	add_null(&rows, 1);
	add_hidden(&rows);
	seed_write(folder, name, rows.bytes, rows.size);
}

void seeds_activity(const char *folder)
{
	write_rows(folder, "rows", 0);
	write_rows(folder, "no-query-text", 1);
	write_rows(folder, "refused-a-column-more", 2);
	write_rows(folder, "refused-a-column-less", 4);
}
