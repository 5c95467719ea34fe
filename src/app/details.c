/* A line a fact; what is not known is left out. */
#include "app/details.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"

static const char *const end_phrases[] = {
	[CLIENT_END_UNKNOWN] = "not known",
	[CLIENT_END_ELSEWHERE] = "on another machine, or behind something that hides it",
	[CLIENT_END_NOT_VISIBLE] = "here, but another user's: its process is not ours to see",
	[CLIENT_END_HELD] = "here, and open",
	[CLIENT_END_GONE] = "gone: no socket has it any more",
};

__attribute__((format(printf, 2, 3))) static void line(FILE *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fputc('\n', out);
}

static void print_text(FILE *out, const char *label, const char *text)
{
	if (text && *text)
		line(out, "%-13s %s", label, text);
}

/* "7m12s ago": since when something is so. */
static void print_since(FILE *out, const char *label, int64_t since, int64_t now)
{
	char age[DURATION_TEXT_MAX];
	if (since != INSTANT_UNKNOWN)
		line(out, "%-13s %s ago", label, duration_format(instant_elapsed(since, now), age));
}

static void print_verdict(FILE *out, const struct verdict *verdict)
{
	if (verdict->reason)
		line(out, "%-13s leaked: %s (%s)", "verdict", reason_phrase(verdict->reason),
			certainty_name(verdict->certainty));
	else if (verdict->protection)
		line(out, "%-13s %s: %s", "verdict", status_name(verdict->status),
			protection_phrase(verdict->protection));
	else
		line(out, "%-13s %s", "verdict", status_name(verdict->status));
}

static void print_session(FILE *out, const struct backend *backend, int64_t now)
{
	char address[ENDPOINT_TEXT_MAX];
	print_text(out, "database", backend->database);
	print_text(out, "user", backend->user);
	print_text(out, "application", backend->application_name);
	print_text(out, "client", endpoint_format(&backend->client, address));
	print_text(out, "state", backend->state_text);
	print_since(out, "in it since", backend->state_change, now);
	print_since(out, "transaction", backend->xact_start, now);
	print_since(out, "connected", backend->start, now);
	if (backend->wait_event)
		line(out, "%-13s %s: %s", "waits for", backend->wait_event_type,
			backend->wait_event);
}

static void print_process(
	FILE *out, const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *found = assessment_process(assessment, connection);
	line(out, "%-13s %s", "client's end", end_phrases[connection->end]);
	if (!found)
		return;
	const struct process *process = &found->process;
	line(out, "%-13s %d%s, matched by %s", "process", process->pid,
		found->alive ? "" : " (ended)", matched_by_name(connection->matched_by));
	print_text(out, "command", process->command);
	print_text(out, "runs as", process->user);
	print_text(out, "unit", process->unit);
	print_text(out, "container", process->container);
}

char *details_text(const struct assessment *assessment, const struct connection *connection)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return mem_strdup("");
	const struct backend *backend = connection->backend;
	print_verdict(out, &connection->verdict);
	print_session(out, backend, assessment->server_now);
	print_process(out, assessment, connection);
	if (backend->query)
		line(out, "\n%s", backend->query);
	fclose(out);
	return text;
}
