#include "dbpage/own.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int own_init(struct own *own)
{
	bool *mark = mmap(
		NULL, sizeof(*mark), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mark == MAP_FAILED)
		return -ENOMEM;
	own->pid = getpid();
	own->mark = NULL;
	if (madvise(mark, sizeof(*mark), MADV_WIPEONFORK) < 0) {
		munmap(mark, sizeof(*mark));
		return 0;
	}
	*mark = true;
	own->mark = mark;
	return 0;
}

void own_deinit(struct own *own)
{
	if (own->mark)
		munmap((void *)own->mark, sizeof(*own->mark));
}

bool is_own(const struct own *own)
{
	return own->mark ? *own->mark : own->pid == getpid();
}
