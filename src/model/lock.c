/* Memory of the lock table. */
#include "model/lock.h"

#include "base/arena.h"

struct lock_table *lock_table_new(void)
{
	struct arena *arena = arena_new();
	struct lock_table *table = arena_alloc(arena, sizeof(*table));
	table->arena = arena;
	table->refs = 1;
	return table;
}

struct lock_table *lock_table_ref(const struct lock_table *table)
{
	struct lock_table *shared = (struct lock_table *)table;
	shared->refs++;
	return shared;
}

void lock_table_unref(const struct lock_table *table)
{
	struct lock_table *shared = (struct lock_table *)table;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}
