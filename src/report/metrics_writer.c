#include "report/metrics_writer.h"

#include <inttypes.h>

#include "base/instant.h"

static void put_value(FILE *file, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			putc('\\', file);
		if (*value == '\n')
			fputs("\\n", file);
		else
			putc(*value, file);
	}
}

/* The name with its labels; labels end with a NULL name. */
void metrics_begin(
	const struct metrics_writer *writer, const char *suffix, const struct metrics_label *labels)
{
	FILE *file = writer->file;
	fprintf(file, "%s%s{server=\"", writer->name, suffix);
	put_value(file, writer->server);
	putc('"', file);
	for (; labels && labels->name; labels++) {
		fprintf(file, ",%s=\"", labels->name);
		put_value(file, labels->value);
		putc('"', file);
	}
	fputs("} ", file);
}

void metrics_put(
	const struct metrics_writer *writer, const struct metrics_label *labels, int64_t value)
{
	metrics_begin(writer, "", labels);
	fprintf(writer->file, "%" PRId64 "\n", value);
}

/* Writes nothing for a value that is not known. */
void metrics_put_known(
	const struct metrics_writer *writer, const struct metrics_label *labels, int64_t value)
{
	if (value >= 0)
		metrics_put(writer, labels, value);
}

void metrics_put_seconds(
	const struct metrics_writer *writer, const struct metrics_label *labels, int64_t usec)
{
	if (usec < 0)
		return;
	metrics_begin(writer, "", labels);
	fprintf(writer->file, "%" PRId64 ".%06" PRId64 "\n", usec / USEC_PER_SEC,
		usec % USEC_PER_SEC);
}
