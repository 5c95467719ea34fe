/* A table for each struct, which writes its fields and reads them back. */
#include "collect/host_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/text.h"

#define TEXT_MOST ((size_t)512)

/* As on a page. */
#define SLOTS_MOST 256

/* Larger numbers and durations are refused, so that the sum of two cannot overflow. */
#define NUMBER_MOST (INT64_C(1) << 60)

enum kind {
	KIND_TEXT,   /* const char *; NULL is left out */
	KIND_CHARS,  /* char[POOL_HOOK_NAME_MAX] */
	KIND_FLAG,   /* bool */
	KIND_WORD,   /* 32 bits: 0 to `most` */
	KIND_SIGNED, /* int: any */
	KIND_LONG,   /* 64 bits: −1 to NUMBER_MOST */
	KIND_EXACT,  /* an instant of the server's clock; INSTANT_UNKNOWN is left out */
	KIND_TIME,   /* an instant of the machine's clock, in ms; INSTANT_UNKNOWN is left out */
};

struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	int64_t most;
};

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)
static const struct field page_fields[] = {
	{ "path", KIND_TEXT, AT(pool_page, path), 0 },
	{ "name", KIND_TEXT, AT(pool_page, name), 0 },
	{ "pid", KIND_WORD, AT(pool_page, pid), INT32_MAX },
	{ "inner_pid", KIND_WORD, AT(pool_page, inner_pid), INT32_MAX },
	{ "start_ticks", KIND_LONG, AT(pool_page, start_ticks), 0 },
	{ "uid", KIND_WORD, AT(pool_page, uid), UINT32_MAX },
	{ "server", KIND_TEXT, AT(pool_page, server), 0 },
	{ "phase", KIND_TEXT, AT(pool_page, phase), 0 },
	{ "min", KIND_WORD, AT(pool_page, min), INT32_MAX },
	{ "max", KIND_WORD, AT(pool_page, max), INT32_MAX },
	{ "in_use", KIND_WORD, AT(pool_page, in_use), INT32_MAX },
	{ "idle", KIND_WORD, AT(pool_page, idle), INT32_MAX },
	{ "waiting", KIND_WORD, AT(pool_page, waiting), INT32_MAX },
	{ "acquired", KIND_LONG, AT(pool_page, acquired_total), 0 },
	{ "timeouts", KIND_LONG, AT(pool_page, timeouts), 0 },
	{ "errors", KIND_LONG, AT(pool_page, errors), 0 },
	{ "lost_slots", KIND_LONG, AT(pool_page, lost_slots), 0 },
	{ "waited", KIND_LONG, AT(pool_page, waited), 0 },
	{ "wait_p99", KIND_LONG, AT(pool_page, wait_p99), 0 },
	{ "held_limit", KIND_LONG, AT(pool_page, held_limit), 0 },
	{ "pending_writes", KIND_LONG, AT(pool_page, pending_writes), 0 },
	{ "outbox", KIND_FLAG, AT(pool_page, outbox.present), 0 },
	{ "outbox_waiting", KIND_LONG, AT(pool_page, outbox.waiting), 0 },
	{ "outbox_rejected", KIND_LONG, AT(pool_page, outbox.rejected), 0 },
	{ "outbox_oldest", KIND_TIME, AT(pool_page, outbox.oldest_at), 0 },
	{ "outbox_fsync", KIND_WORD, AT(pool_page, outbox.fsync), POOL_FSYNC_COUNT - 1 },
};

static const struct field slot_fields[] = {
	{ "number", KIND_WORD, AT(pool_slot, number), SLOTS_MOST },
	{ "state", KIND_WORD, AT(pool_slot, state), POOL_SLOT_STATE_COUNT - 1 },
	{ "pid", KIND_WORD, AT(pool_slot, backend_pid), INT32_MAX },
	{ "start", KIND_EXACT, AT(pool_slot, backend_start), 0 },
	{ "opened", KIND_TIME, AT(pool_slot, connected_at), 0 },
	{ "since", KIND_TIME, AT(pool_slot, since), 0 },
	{ "site", KIND_TEXT, AT(pool_slot, site), 0 },
	{ "thread", KIND_WORD, AT(pool_slot, thread), INT32_MAX },
	{ "borrowed", KIND_LONG, AT(pool_slot, borrowed), 0 },
	{ "reported", KIND_FLAG, AT(pool_slot, reported), 0 },
};

static const struct field hook_fields[] = {
	{ "name", KIND_CHARS, AT(pool_hook, name), 0 },
	{ "phase", KIND_WORD, AT(pool_hook, phase), POOL_HOOK_PHASE_COUNT - 1 },
	{ "state", KIND_WORD, AT(pool_hook, state), POOL_HOOK_STATE_COUNT - 1 },
	{ "result", KIND_SIGNED, AT(pool_hook, result), 0 },
	{ "duration", KIND_LONG, AT(pool_hook, duration), 0 },
};
#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))
/* clang-format on */

/* --- writing --- */

/* Any user may have written the page: what it says must not make the other side refuse the answer.
 */
static json_t *write_instant(int64_t instant, int64_t unit)
{
	return instant < 0 || instant > NUMBER_MOST ? NULL : json_integer(instant / unit);
}

static json_t *write_long(int64_t number)
{
	return json_integer(number < -1 || number > NUMBER_MOST ? NUMBER_MOST : number);
}

/* NULL: it is left out. */
static json_t *write_field(const struct field *field, const char *at)
{
	switch (field->kind) {
	case KIND_TEXT: return json_string(*(const char *const *)at);
	case KIND_CHARS: return json_string(at);
	case KIND_FLAG: return json_boolean(*(const bool *)at);
	case KIND_WORD: return json_integer(*(const uint32_t *)at);
	case KIND_SIGNED: return json_integer(*(const int32_t *)at);
	case KIND_LONG: return write_long(*(const int64_t *)at);
	case KIND_EXACT: return write_instant(*(const int64_t *)at, 1);
	case KIND_TIME: return write_instant(*(const int64_t *)at, USEC_PER_MSEC);
	}
	return NULL;
}

static void write_fields(
	json_t *object, const struct field *fields, size_t n_fields, const void *from)
{
	for (size_t i = 0; i < n_fields; i++) {
		json_t *value = write_field(&fields[i], (const char *)from + fields[i].offset);
		if (value)
			json_object_set_new(object, fields[i].key, value);
	}
}

static json_t *write_list(const struct field *fields, size_t n_fields, const void *items,
	size_t n_items, size_t item_size)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n_items; i++) {
		json_t *object = json_object();
		write_fields(object, fields, n_fields, (const char *)items + i * item_size);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *write_waits(const struct pool_page *page)
{
	json_t *list = json_array();
	for (size_t i = 0; i < POOL_WAIT_BUCKETS; i++)
		json_array_append_new(list,
			json_integer(page->wait[i] > NUMBER_MOST ? NUMBER_MOST
								 : (json_int_t)page->wait[i]));
	return list;
}

static void write_page(json_t *object, const struct pool_page *page)
{
	int64_t started = page->uptime < 0 ? INSTANT_UNKNOWN : page->read_at - page->uptime;
	write_fields(object, page_fields, COUNT(page_fields), page);
	json_t *value = write_instant(started, USEC_PER_MSEC);
	if (value)
		json_object_set_new(object, "started", value);
	json_object_set_new(object, "wait", write_waits(page));
	json_object_set_new(object, "slots",
		write_list(slot_fields, COUNT(slot_fields), page->slots, page->n_slots,
			sizeof(*page->slots)));
	json_object_set_new(object, "hooks",
		write_list(hook_fields, COUNT(hook_fields), page->hooks, page->n_hooks,
			sizeof(*page->hooks)));
}

void host_pages_write(json_t *answer, const struct host_pages *pages)
{
	json_t *list = json_array();
	for (size_t i = 0; i < pages->count; i++) {
		const struct host_page *row = &pages->items[i];
		json_t *object = json_object();
		json_object_set_new(object, "id", json_integer(row->id));
		if (!row->is_same)
			write_page(object, &row->page);
		json_array_append_new(list, object);
	}
	json_object_set_new(answer, "clock", json_integer(instant_now()));
	json_object_set_new(answer, "pages", list);
	if (pages->left_out)
		json_object_set_new(answer, "pages_left_out", json_true());
}

uint64_t host_page_digest(const struct pool_page *page, size_t *ret_size)
{
	json_t *object = json_object();
	write_page(object, page);
	char *text = json_dumps(object, JSON_COMPACT);
	uint64_t digest = 0;
	for (const char *c = text; c && *c; c++)
		digest = map_mix(digest, (unsigned char)*c);
	*ret_size = text ? strlen(text) : 0;
	free(text);
	json_decref(object);
	return digest;
}

/* --- reading --- */

struct reading {
	struct arena *arena;
	int64_t shift;
	bool is_wrong;
};

static int64_t read_number(
	struct reading *reading, const json_t *value, int64_t least, int64_t most)
{
	json_int_t number = json_integer_value(value);
	if (json_is_integer(value) && number >= least && number <= most)
		return number;
	reading->is_wrong = true;
	return 0;
}

static const char *read_text(struct reading *reading, const json_t *value, size_t most)
{
	size_t length = json_string_length(value);
	reading->is_wrong |= !json_is_string(value);
	return text_clean(reading->arena, json_is_string(value) ? json_string_value(value) : "",
		length < most ? length : most, TEXT_LINE);
}

static int64_t read_time(struct reading *reading, const json_t *value)
{
	int64_t ms = read_number(reading, value, 0, NUMBER_MOST / USEC_PER_MSEC);
	int64_t time = ms * USEC_PER_MSEC + reading->shift;
	return time >= 0 && time < NUMBER_MOST ? time : INSTANT_UNKNOWN;
}

/* What is left out is unknown, or 0. */
static void read_missing(const struct field *field, char *at)
{
	if (field->kind == KIND_EXACT || field->kind == KIND_TIME)
		*(int64_t *)at = INSTANT_UNKNOWN;
}

static void read_field(
	struct reading *reading, const struct field *field, const json_t *value, char *at)
{
	switch (field->kind) {
	case KIND_TEXT: *(const char **)at = read_text(reading, value, TEXT_MOST); break;
	case KIND_CHARS:
		snprintf(at, POOL_HOOK_NAME_MAX, "%s",
			read_text(reading, value, POOL_HOOK_NAME_MAX - 1));
		break;
	case KIND_FLAG:
		reading->is_wrong |= !json_is_boolean(value);
		*(bool *)at = json_is_true(value);
		break;
	case KIND_WORD:
		*(uint32_t *)at = (uint32_t)read_number(reading, value, 0, field->most);
		break;
	case KIND_SIGNED:
		*(int32_t *)at = (int32_t)read_number(reading, value, INT32_MIN, INT32_MAX);
		break;
	case KIND_LONG: *(int64_t *)at = read_number(reading, value, -1, NUMBER_MOST); break;
	case KIND_EXACT: *(int64_t *)at = read_number(reading, value, 0, NUMBER_MOST); break;
	case KIND_TIME: *(int64_t *)at = read_time(reading, value); break;
	}
}

static void read_fields(struct reading *reading, const json_t *object, const struct field *fields,
	size_t n_fields, void *to)
{
	reading->is_wrong |= !json_is_object(object);
	for (size_t i = 0; i < n_fields; i++) {
		const json_t *value = json_object_get(object, fields[i].key);
		char *at = (char *)to + fields[i].offset;
		if (value)
			read_field(reading, &fields[i], value, at);
		else
			read_missing(&fields[i], at);
	}
}

/* Returns zeroed items of which the fields are read. */
static void *read_list(struct reading *reading, const json_t *list, size_t most,
	const struct field *fields, size_t n_fields, size_t item_size, size_t *ret_count)
{
	*ret_count = json_array_size(list);
	if (!json_is_array(list) || *ret_count > most) {
		reading->is_wrong = true;
		*ret_count = 0;
	}
	char *items = arena_array(reading->arena, *ret_count, item_size);
	for (size_t i = 0; i < *ret_count; i++)
		read_fields(
			reading, json_array_get(list, i), fields, n_fields, items + i * item_size);
	return items;
}

static void read_waits(struct reading *reading, const json_t *list, struct pool_page *page)
{
	reading->is_wrong |= json_array_size(list) != POOL_WAIT_BUCKETS;
	for (size_t i = 0; !reading->is_wrong && i < POOL_WAIT_BUCKETS; i++)
		page->wait[i] =
			(uint64_t)read_number(reading, json_array_get(list, i), 0, NUMBER_MOST);
}

static void read_page(struct reading *reading, const json_t *object, struct pool_page *page)
{
	static const struct field started = { "started", KIND_TIME, 0, 0 };
	int64_t began;
	*page = (struct pool_page){
		.status = POOL_PAGE_LIVE,
		.owner_visible = true,
		.dead_since = INSTANT_UNKNOWN,
		.read_at = instant_now(),
	};
	read_fields(reading, object, page_fields, COUNT(page_fields), page);
	read_fields(reading, object, &started, 1, &began);
	page->uptime = began == INSTANT_UNKNOWN ? -1 : instant_elapsed(began, page->read_at);
	read_waits(reading, json_object_get(object, "wait"), page);
	page->slots = read_list(reading, json_object_get(object, "slots"), SLOTS_MOST, slot_fields,
		COUNT(slot_fields), sizeof(*page->slots), &page->n_slots);
	page->hooks = read_list(reading, json_object_get(object, "hooks"), POOL_HOOKS_MAX,
		hook_fields, COUNT(hook_fields), sizeof(*page->hooks), &page->n_hooks);
	reading->is_wrong |= !page->path || page->pid == 0;
	pool_page_find_longest(page);
}

static void read_row(struct reading *reading, const json_t *object, struct host_page *row)
{
	row->id = (uint32_t)read_number(reading, json_object_get(object, "id"), 1, UINT32_MAX - 1);
	row->is_same = json_object_size(object) == 1;
	if (!row->is_same)
		read_page(reading, object, &row->page);
}

/* The other machine's clock may be wrong: instants are moved by the difference of the clocks. */
bool host_pages_read(struct arena *arena, const json_t *answer, struct host_pages *ret_pages)
{
	const json_t *list = json_object_get(answer, "pages");
	struct reading reading = { .arena = arena };
	size_t count = json_array_size(list);
	*ret_pages = (struct host_pages){ 0 };
	if (!list)
		return true;
	if (!json_is_array(list) || count > HOST_PAGES_MOST)
		return false;
	reading.shift = instant_now() -
		read_number(&reading, json_object_get(answer, "clock"), 0, NUMBER_MOST);
	ret_pages->items = arena_array(arena, count, sizeof(*ret_pages->items));
	ret_pages->count = count;
	ret_pages->left_out = json_is_true(json_object_get(answer, "pages_left_out"));
	for (size_t i = 0; i < count; i++)
		read_row(&reading, json_array_get(list, i), &ret_pages->items[i]);
	return !reading.is_wrong;
}

struct pool_page host_page_copy(struct arena *arena, const struct pool_page *from, int64_t read_at)
{
	struct pool_page page = *from;
	page.path = arena_strdup(arena, from->path);
	page.name = arena_strdup(arena, from->name);
	page.server = arena_strdup(arena, from->server);
	page.phase = arena_strdup(arena, from->phase);
	page.slots = arena_array(arena, page.n_slots, sizeof(*page.slots));
	for (size_t i = 0; i < page.n_slots; i++) {
		page.slots[i] = from->slots[i];
		page.slots[i].site = arena_strdup(arena, from->slots[i].site);
	}
	page.hooks = arena_array(arena, page.n_hooks, sizeof(*page.hooks));
	for (size_t i = 0; i < page.n_hooks; i++)
		page.hooks[i] = from->hooks[i];
	if (page.uptime >= 0)
		page.uptime += read_at - page.read_at;
	page.read_at = read_at;
	page.process = NULL;
	pool_page_find_longest(&page);
	return page;
}
