/* Makes rows of the kernel's connection tracking, as nat_read() gets them. */
#ifndef TESTS_NAT_ROW_H
#define TESTS_NAT_ROW_H

#include <stddef.h>
#include <stdint.h>

struct nat_row {
	uint8_t bytes[512];
	size_t size;
};

struct nat_side {
	const char *address;
	uint16_t port;
};

/* A row without attributes. */
struct nat_row nat_row_begin(void);

void nat_row_add(struct nat_row *row, int type, const void *value, size_t size);

/* One direction of a connection: CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. Both addresses are of one
 * family. */
void nat_row_add_tuple(struct nat_row *row, int type, uint8_t protocol,
	const struct nat_side *source, const struct nat_side *destination);

#endif
