/* A blob: the number of statements; of each the text, the number of parameters and the parameters.
 * Numbers have 32 bits in the machine's byte order, because the file stays on its machine. A text
 * is its length, its bytes and a zero byte; the length of a NULL is −1. */
#include "outbox/statement.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "outbox/dboutbox.h"
#include "outbox/error.h"

/* Statements that end or change the transaction in which they would be sent, or whose effect ends
 * with it or with the session. */
static const struct {
	const char *word, *refusal;
} refused[] = {
	{ "abort", "controls a transaction" },
	{ "begin", "controls a transaction" },
	{ "close", "needs a session of its own" },
	{ "commit", "controls a transaction" },
	{ "copy", "transfers data outside of the statement" },
	{ "deallocate", "needs a session of its own" },
	{ "declare", "needs a session of its own" },
	{ "discard", "changes the session" },
	{ "end", "controls a transaction" },
	{ "execute", "needs a session of its own" },
	{ "fetch", "needs a session of its own" },
	{ "listen", "needs a session of its own" },
	{ "load", "changes the session" },
	{ "move", "needs a session of its own" },
	{ "prepare", "needs a session of its own" },
	{ "release", "controls a transaction" },
	{ "reset", "changes the session" },
	{ "rollback", "controls a transaction" },
	{ "savepoint", "controls a transaction" },
	{ "set", "changes the session" },
	{ "start", "controls a transaction" },
	{ "unlisten", "needs a session of its own" },
};

/* Block comments nest, as in PostgreSQL. */
static const char *skip_block_comment(const char *sql)
{
	int depth = 0;
	do {
		if (strncmp(sql, "/*", 2) == 0) {
			depth++;
			sql += 2;
		} else if (strncmp(sql, "*/", 2) == 0) {
			depth--;
			sql += 2;
		} else {
			sql++;
		}
	} while (depth > 0 && *sql);
	return sql;
}

static const char *skip_comments(const char *sql)
{
	while (*sql) {
		if (isspace((unsigned char)*sql) || *sql == ';')
			sql++;
		else if (strncmp(sql, "--", 2) == 0)
			sql += strcspn(sql, "\r\n");
		else if (strncmp(sql, "/*", 2) == 0)
			sql = skip_block_comment(sql);
		else
			break;
	}
	return sql;
}

const char *statement_refusal(const char *sql)
{
	sql = skip_comments(sql);
	if (!*sql)
		return "is empty";
	size_t length = 0;
	while (isalnum((unsigned char)sql[length]) || sql[length] == '_')
		length++;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strlen(refused[i].word) == length &&
			strncasecmp(sql, refused[i].word, length) == 0)
			return refused[i].refusal;
	return NULL;
}

static int check(const struct dboutbox_statement *statement)
{
	if (!statement->sql || statement->n_params < 0 ||
		statement->n_params > STATEMENT_PARAMS_MAX ||
		(statement->n_params && !statement->params))
		return outbox_fail(-EINVAL, "a statement needs its text and 0 to %d parameters",
			STATEMENT_PARAMS_MAX);
	const char *refusal = statement_refusal(statement->sql);
	return refusal ? outbox_fail(DBOUTBOX_STATEMENT,
				 "an outbox cannot carry this statement, because it %s: %.100s",
				 refusal, statement->sql)
		       : 0;
}

/* The size of a text in the blob; SIZE_MAX if it is too long. */
static size_t text_size(const char *text)
{
	size_t length = text ? strlen(text) + 1 : 0;
	return length > INT32_MAX / 2 ? SIZE_MAX : sizeof(int32_t) + length;
}

static int measure(const struct dboutbox_statement *statement, size_t *total)
{
	size_t size = text_size(statement->sql);
	for (int i = 0; i < statement->n_params && size < INT32_MAX; i++) {
		size_t more = text_size(statement->params[i]);
		size = more == SIZE_MAX ? SIZE_MAX : size + more;
	}
	if (size >= INT32_MAX || *total + size >= INT32_MAX)
		return outbox_fail(-EINVAL, "a write is limited to 2 GiB");
	*total += size + sizeof(int32_t);
	return 0;
}

static unsigned char *put_number(unsigned char *at, int32_t number)
{
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

static unsigned char *put_text(unsigned char *at, const char *text)
{
	if (!text)
		return put_number(at, -1);
	size_t length = strlen(text);
	at = put_number(at, (int32_t)length);
	memcpy(at, text, length + 1);
	return at + length + 1;
}

int statement_encode(const struct dboutbox_statement *statements, size_t count, void **ret_blob,
	size_t *ret_size)
{
	if (!statements || !count || count > INT32_MAX)
		return outbox_fail(-EINVAL, "a write needs at least one statement");
	size_t size = sizeof(int32_t);
	for (size_t i = 0; i < count; i++) {
		int r = check(&statements[i]);
		if (r == 0)
			r = measure(&statements[i], &size);
		if (r != 0)
			return r;
	}
	unsigned char *blob = malloc(size);
	if (!blob)
		return outbox_fail(-ENOMEM, "out of memory");
	unsigned char *at = put_number(blob, (int32_t)count);
	for (size_t i = 0; i < count; i++) {
		at = put_text(at, statements[i].sql);
		at = put_number(at, statements[i].n_params);
		for (int p = 0; p < statements[i].n_params; p++)
			at = put_text(at, statements[i].params[p]);
	}
	*ret_blob = blob;
	*ret_size = size;
	return 0;
}

static int get_number(struct statement_reader *reader, int32_t *ret_number)
{
	if (reader->size - reader->at < sizeof(*ret_number))
		return -EBADMSG;
	memcpy(ret_number, reader->blob + reader->at, sizeof(*ret_number));
	reader->at += sizeof(*ret_number);
	return 0;
}

static int get_text(struct statement_reader *reader, const char **ret_text)
{
	int32_t length;
	if (get_number(reader, &length) < 0 || length < -1)
		return -EBADMSG;
	if (length < 0) {
		*ret_text = NULL;
		return 0;
	}
	if (reader->size - reader->at <= (size_t)length ||
		reader->blob[reader->at + (size_t)length] != '\0')
		return -EBADMSG;
	*ret_text = (const char *)reader->blob + reader->at;
	reader->at += (size_t)length + 1;
	return 0;
}

static int make_room(struct statement_view *view)
{
	size_t wanted = (size_t)view->n_params;
	if (wanted <= view->room)
		return 0;
	const char **params = realloc(view->params, wanted * sizeof(*params));
	if (!params)
		return -ENOMEM;
	view->params = params;
	view->room = wanted;
	return 0;
}

int statement_read(struct statement_reader *reader, struct statement_view *view)
{
	int32_t number;
	if (!reader->begun) {
		if (get_number(reader, &number) < 0 || number < 1)
			return -EBADMSG;
		reader->left = (unsigned)number;
		reader->begun = true;
	}
	if (reader->left == 0)
		return reader->at == reader->size ? 0 : -EBADMSG;
	if (get_text(reader, &view->sql) < 0 || !view->sql || get_number(reader, &number) < 0 ||
		number < 0 || number > STATEMENT_PARAMS_MAX)
		return -EBADMSG;
	view->n_params = number;
	int r = make_room(view);
	for (int i = 0; r == 0 && i < view->n_params; i++)
		r = get_text(reader, &view->params[i]);
	if (r < 0)
		return r;
	reader->left--;
	return 1;
}
