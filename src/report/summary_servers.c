/* A heading for each server, and the last line. */
#include "report/summary_servers.h"

#include "base/arena.h"
#include "model/assessment.h"
#include "report/printer.h"

void summary_print_heading(const struct assessment *assessment, const struct printer_style *style,
	bool follows, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	struct arena *arena = arena_new();
	if (follows)
		printer_end_line(&printer);
	printer_text(&printer, "== ");
	printer_text(&printer, assessment_server_name(assessment, arena));
	printer_text(&printer, " ==");
	printer_end_line(&printer);
	arena_free(arena);
}

/* The statuses, and what is said of them; the names of clean servers are left out. */
static const struct {
	int status;
	bool has_names;
	const char *words;
} kinds[] = {
	{ 1, true, "with findings" },
	{ 3, true, "cannot tell" },
	{ 0, false, "clean" },
};

int summary_print_total(const struct summary_result *results, size_t count,
	const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	const char *before_kind = " ";
	printer_end_line(&printer);
	printer_format(&printer, "%zu servers:", count);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const char *before_name = ": ";
		size_t n = 0;
		for (size_t i = 0; i < count; i++)
			n += results[i].status == kinds[k].status;
		if (n == 0)
			continue;
		printer_format(&printer, "%s%zu %s", before_kind, n, kinds[k].words);
		before_kind = "; ";
		for (size_t i = 0; kinds[k].has_names && i < count; i++) {
			if (results[i].status != kinds[k].status)
				continue;
			printer_text(&printer, before_name);
			printer_text(&printer, results[i].name);
			before_name = ", ";
		}
	}
	printer_end_line(&printer);
	return printer_flush(&printer);
}
