/* A singly linked queue of statements. */
#include "session/statement.h"

#include <stdlib.h>

#include "base/instant.h"
#include "base/mem.h"

void statement_queue_init(struct statement_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

void statement_queue_deinit(struct statement_queue *queue)
{
	while (queue->first)
		statement_free(statement_pop(queue));
}

void statement_push(struct statement_queue *queue, const struct session_statement *from,
	session_done_fn *done, void *data)
{
	struct statement *statement = mem_alloc(sizeof(*statement));
	statement->sql = mem_strdup(from->sql);
	statement->n_params = from->n_params;
	statement->params = mem_alloc((size_t)from->n_params * sizeof(char *));
	for (int i = 0; i < from->n_params; i++)
		statement->params[i] = mem_strdup(from->params[i]);
	statement->done = done;
	statement->data = data;
	statement->sent_at = INSTANT_UNKNOWN;
	*queue->last = statement;
	queue->last = &statement->next;
}

struct statement *statement_pop(struct statement_queue *queue)
{
	struct statement *statement = queue->first;
	if (!statement)
		return NULL;
	queue->first = statement->next;
	if (!queue->first)
		queue->last = &queue->first;
	return statement;
}

void statement_free(struct statement *statement)
{
	for (int i = 0; i < statement->n_params; i++)
		free(statement->params[i]);
	free(statement->params);
	free(statement->sql);
	free(statement);
}

void statement_forget(struct statement_queue *queue, const void *data)
{
	struct statement **link = &queue->first;
	while (*link) {
		struct statement *statement = *link;
		if (statement->data == data && statement->sent_at == INSTANT_UNKNOWN) {
			*link = statement->next;
			statement_free(statement);
			continue;
		}
		if (statement->data == data)
			statement->done = NULL;
		link = &statement->next;
	}
	queue->last = link;
}
