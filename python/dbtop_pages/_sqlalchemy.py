"""Engines and pools of SQLAlchemy. A connection record has a seat while it has a connection: so a pre-ping, a
reconnection and a Session's use count as what they are."""

from sqlalchemy import event
from sqlalchemy.pool import Pool

from ._shadow import is_watched, require, shadow_methods


def _take(page, record):
    try:
        driver = record.driver_connection
    except AttributeError:  # before 1.4.24
        driver = None
    return page.take(record, driver or record.dbapi_connection)


def _functions(pool, page, events):
    connect_pool, put, dispose_pool, make_again = pool.connect, pool._do_return_conn, pool.dispose, pool.recreate
    seats, vacate, site = page.seats, page.vacate, page.site

    def connect():
        fairy = connect_pool()  # pinged, and connected again if need be
        record = fairy._connection_record
        seat = seats.get(id(record)) or _take(page, record)
        seat.held(site())
        return fairy

    def _do_return_conn(record):
        # first, because the pool may give it to a waiting thread at once
        if record.dbapi_connection is None:
            vacate(record)
        else:
            seat = seats.get(id(record))
            if seat is not None:
                seat.idle()
        put(record)

    def dispose():
        dispose_pool()
        events.pool_disposed()

    def recreate():
        """An engine that is disposed goes on with this pool."""
        following = make_again()
        shadow_methods(following, _functions(following, page, events), page)
        return following

    return connect, _do_return_conn, dispose, recreate


class _Events:
    """What happens seldom. The pool that follows a disposed one has the same listeners."""

    def __init__(self, page):
        self.page = page
        self.disposed = False

    def connect(self, _dbapi_connection, record):
        self.disposed = False
        self.page.vacate(record)
        _take(self.page, record).idle()

    def close(self, _dbapi_connection, record):
        self.page.vacate(record)
        self._close_page()

    def pool_disposed(self):
        self.disposed = True
        self._close_page()

    def _close_page(self):
        """What was checked out stays on the page until it is given back."""
        if self.disposed and not self.page.seats:
            self.page.done()
            self.page.close()


def _most(pool):
    """None: no limit."""
    if type(pool).__name__ in ("StaticPool", "AssertionPool"):
        return 1
    size, overflow = getattr(pool, "size", None), getattr(pool, "_max_overflow", -1)
    return None if size is None or overflow < 0 or size() <= 0 else size() + overflow


def watch(target, make_page):
    engine = getattr(target, "sync_engine", target)
    pool = engine if isinstance(engine, Pool) else engine.pool
    dialect = getattr(engine, "dialect", None)
    if dialect is not None and dialect.name != "postgresql":
        raise TypeError(f"dbtop_pages watches PostgreSQL, not {dialect.name}")
    if is_watched(pool):
        return
    require(type(pool), "connect", "_do_return_conn", "dispose", "recreate")
    page = make_page(0, _most(pool), getattr(getattr(pool, "_dialect", None), "is_async", True))
    events = _Events(page)
    shadow_methods(pool, _functions(pool, page, events), page)
    # not on the engine: with a listener of its own it would do all more slowly
    event.listen(pool, "connect", events.connect)
    event.listen(pool, "close", events.close)
