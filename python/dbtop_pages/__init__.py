"""Shows a pool of PostgreSQL connections in dbtop.

    import dbtop_pages
    dbtop_pages.watch(pool)

From then on each checkout is on the pool's stats page: which connection, since when, and at which line of the
application. The page is a small file; dbtop and others read it. See README.md beside this package.
"""

import importlib

from ._page import Page

__all__ = ["watch"]
__version__ = "0.1.0"

# The package that a pool's class comes from, and who watches it.
_WATCHERS = {
    "psycopg_pool": "._psycopg",
    "psycopg2": "._psycopg2",
    "asyncpg": "._asyncpg",
    "sqlalchemy": "._sqlalchemy",
}


def watch(pool, name=None, held_limit=60.0, *, skip=()):
    """Shows the pool's connections and checkouts on a stats page.

    pool: of psycopg_pool (also async), psycopg2.pool or asyncpg, or an Engine, AsyncEngine or Pool of SQLAlchemy.
        Best before its first checkout: one that lasts is seen when it ends.
    name: what dbtop calls the pool; the program's name.
    held_limit: seconds. A connection that is checked out for longer, and at rest for as long, is a leak. None: no limit.
    skip: packages of the application ("shop.database") in which no checkout is to be located, but in their callers.

    Raises TypeError for another kind of pool, ValueError for an impossible limit, and OSError where libdbpage is not
    installed. A page that cannot be created later, as on a full disk, is logged once; the pool works all the same.
    """
    for base in type(pool).__mro__:
        watcher = _WATCHERS.get(base.__module__.partition(".")[0])
        if watcher:
            module = importlib.import_module(watcher, __name__)
            return module.watch(pool, lambda *sizes: Page(name, held_limit, skip, *sizes))
    raise TypeError(f"dbtop_pages cannot watch a {type(pool).__module__}.{type(pool).__qualname__}")
