/* Recordings: a line of --json of each sample. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "make_seeds.h"
#include "model/assessment.h"
#include "report/snapshot.h"
#include "sample.h"

static void write_line(const char *folder, enum sample_kind kind)
{
	const struct snapshot_options options = { 0 };
	struct assessment *assessment = sample_assessment(kind);
	CLEANUP(cleanup_free) char *line = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&line, &size);
	MUST(file && snapshot_print(assessment, &options, file) == 0 && fclose(file) == 0);
	char name[32];
	snprintf(name, sizeof(name), "sample-%d", (int)kind);
	seed_write(folder, name, line, size);
	assessment_free(assessment);
}

void seeds_replay(const char *folder)
{
	for (int kind = 0; kind < SAMPLE_COUNT; kind++)
		write_line(folder, (enum sample_kind)kind);
}
