/* Prints verdicts and their timelines as text and JUnit XML. */
#include "report/shutdown.h"

#include "base/instant.h"
#include "base/text.h"
#include "model/shutdown.h"
#include "report/stream.h"

/* The most characters of a command in a name for people; the command may be of any length. */
#define COMMAND_MAX 200

static const char *headline(const struct shutdown_verdict *verdict)
{
	if (verdict->behaviour == BEHAVIOUR_NONE)
		return "NO VERDICT";
	return verdict->pass ? "PASS" : "FAIL";
}

static void put_event(struct printer *printer, const struct shutdown_event *event)
{
	printer_format(printer, "%8lld ms  ", (long long)(event->at / USEC_PER_MSEC));
	printer_text(printer, event->text);
	printer_end_line(printer);
}

static void put_survivor(struct printer *printer, const struct shutdown_survivor *survivor)
{
	printer_format(printer, "%9s  %s %d ", "", survivor->session ? "backend" : "process",
		survivor->pid);
	printer_text(printer, survivor->what);
	printer_format(printer, ": %s", survivor->result);
	printer_end_line(printer);
}

int shutdown_print_text(
	const struct shutdown_report *report, const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	const struct shutdown_verdict *verdict = report->verdict;
	const struct shutdown_record *record = report->record;
	const char *behaviour = shutdown_behaviour_name(verdict->behaviour);
	if (report->rounds > 1)
		printer_format(&printer, "%ld of %ld  ", report->round, report->rounds);
	printer_format(&printer, "%s  ", headline(verdict));
	if (behaviour)
		printer_format(&printer, "%s: ", behaviour);
	printer_text(&printer, verdict->sentence);
	printer_end_line(&printer);
	for (size_t i = 0; i < verdict->n_events; i++)
		put_event(&printer, &verdict->timeline[i]);
	if (record->n_survivors) {
		printer_text(&printer, "still there, and ended now:");
		printer_end_line(&printer);
	}
	for (size_t i = 0; i < record->n_survivors; i++)
		put_survivor(&printer, &record->survivors[i]);
	return printer_flush(&printer);
}

/* XML 1.0 cannot represent most control characters, nor U+FFFE and U+FFFF; they are left out. */
static void put_xml_char(FILE *file, char32_t c)
{
	static const struct {
		char32_t c;
		const char *entity;
	} entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" },
		{ '\n', "&#10;" } };
	char bytes[4];
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
		if (entities[i].c == c) {
			fputs(entities[i].entity, file);
			return;
		}
	}
	if (c >= ' ' && c != 0xfffe && c != 0xffff)
		fwrite(bytes, 1, text_encode(c, bytes), file);
}

static void put_xml(FILE *file, const char *text)
{
	for (char32_t c; (c = text_next(&text));)
		put_xml_char(file, c);
}

/* Writes the character. If there is no room, writes … instead and returns false. */
static bool put_in_room(FILE *file, char32_t c, size_t *room)
{
	put_xml_char(file, *room ? c : U'…');
	return *room && (*room)--;
}

static void put_command(const struct shutdown_report *report, FILE *file)
{
	size_t room = COMMAND_MAX;
	putc(' ', file);
	for (const char *const *argument = report->command; *argument; argument++) {
		const char *rest = *argument;
		if (argument > report->command && !put_in_room(file, ' ', &room))
			return;
		for (char32_t c; (c = text_next(&rest));)
			if (!put_in_room(file, c, &room))
				return;
	}
}

static void put_case_name(const struct shutdown_report *report, FILE *file)
{
	if (report->record->signal_number)
		fprintf(file, "SIG%s", shutdown_signal_name(report->record->signal_number));
	else
		fputs("no signal:", file);
	put_command(report, file);
	if (report->rounds > 1)
		fprintf(file, " (%ld of %ld)", report->round, report->rounds);
}

static void put_timeline(const struct shutdown_report *report, FILE *file)
{
	const struct shutdown_verdict *verdict = report->verdict;
	const char *behaviour = shutdown_behaviour_name(verdict->behaviour);
	fputs("    <system-out>", file);
	if (behaviour)
		fprintf(file, "%s: ", behaviour);
	put_xml(file, verdict->sentence);
	putc('\n', file);
	for (size_t i = 0; i < verdict->n_events; i++) {
		fprintf(file, "%8lld ms  ", (long long)(verdict->timeline[i].at / USEC_PER_MSEC));
		put_xml(file, verdict->timeline[i].text);
		putc('\n', file);
	}
	fputs("</system-out>\n", file);
}

void shutdown_print_junit_case(
	const struct shutdown_report *report, struct shutdown_tally *tally, FILE *file)
{
	const struct shutdown_verdict *verdict = report->verdict;
	bool decided = verdict->behaviour != BEHAVIOUR_NONE;
	tally->tests++;
	tally->failures += decided && !verdict->pass;
	tally->errors += !decided;
	tally->duration += report->duration;
	fputs("  <testcase classname=\"dbtop.shutdown\" name=\"", file);
	put_case_name(report, file);
	fprintf(file, "\" time=\"%.3f\">\n", (double)report->duration / USEC_PER_SEC);
	if (decided)
		fprintf(file,
			"    <properties><property name=\"behaviour\" value=\"%s\"/>"
			"</properties>\n",
			shutdown_behaviour_name(verdict->behaviour));
	if (!decided || !verdict->pass) {
		fprintf(file, "    <%s type=\"%s\" message=\"", decided ? "failure" : "error",
			decided ? shutdown_behaviour_name(verdict->behaviour) : "no verdict");
		put_xml(file, verdict->sentence);
		fputs("\"/>\n", file);
	}
	put_timeline(report, file);
	fputs("  </testcase>\n", file);
}

int shutdown_print_junit(const struct shutdown_tally *tally, const char *cases, FILE *file)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", file);
	fprintf(file,
		"<testsuite name=\"dbtop --shutdown-test\" tests=\"%ld\" failures=\"%ld\" "
		"errors=\"%ld\" skipped=\"0\" time=\"%.3f\">\n",
		tally->tests, tally->failures, tally->errors,
		(double)tally->duration / USEC_PER_SEC);
	fputs(cases, file);
	fputs("</testsuite>\n", file);
	return stream_flush(file);
}
