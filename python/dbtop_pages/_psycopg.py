"""Pools of psycopg_pool: ConnectionPool, NullConnectionPool and their asynchronous kin."""

import inspect

from ._library import TIMEOUTS, WAITERS
from ._shadow import is_watched, require, shadow_methods


class _Waiting:
    """Counts who waits for a connection, and who does so in vain."""

    def __init__(self, page):
        self.page = page

    def __enter__(self):
        self.page.counter(WAITERS, 1)

    def __exit__(self, kind, error, trace):
        self.page.counter(WAITERS, -1)
        if kind is not None and kind.__name__ in ("PoolTimeout", "TooManyRequests"):
            self.page.counter(TIMEOUTS, 1)


def _forget_closed(page, conn):
    """It has not gone back into the pool."""
    seat = page.seats.get(id(conn))
    if seat is not None and seat.lent and conn.closed:
        page.vacate(conn)


def _make_add(pool, page):
    add, seats, take = pool._add_to_pool, page.seats, page.take

    def _add_to_pool(conn):
        # first, because the pool may give it to a waiting thread at once
        seat = seats.get(id(conn)) or take(conn, conn)
        seat.idle()
        seat.lent = False
        return add(conn)  # asynchronous: to be awaited

    return _add_to_pool


def _functions(pool, page):
    get, put, put_back, close_pool = pool.getconn, pool.putconn, pool._return_connection, pool.close
    seats, take, vacate, site = page.seats, page.take, page.vacate, page.site

    def getconn(timeout=None):
        if pool._pool:
            conn = get(timeout)
        else:
            with _Waiting(page):
                conn = get(timeout)
        seat = seats.get(id(conn)) or take(conn, conn)
        seat.held(site())
        seat.lent = True
        return conn

    def putconn(conn):
        put(conn)
        seat = seats.get(id(conn))
        if seat is not None and seat.lent and conn.closed:  # it has not gone back into the pool
            vacate(conn)

    def _return_connection(conn, *arguments, **named):  # since 3.2 it says who returns it
        put_back(conn, *arguments, **named)
        _forget_closed(page, conn)

    def close(*arguments, **named):
        page.stopping()
        try:
            close_pool(*arguments, **named)
            if not any(seat.lent for seat in list(seats.values())):  # these stay open until they are given back
                page.done()
        finally:
            page.close(for_good=True)

    return getconn, putconn, _return_connection, close


def _async_functions(pool, page):
    get, put, put_back, close_pool = pool.getconn, pool.putconn, pool._return_connection, pool.close
    seats, take, site = page.seats, page.take, page.site

    async def getconn(timeout=None):
        if pool._pool:
            conn = await get(timeout)
        else:
            with _Waiting(page):
                conn = await get(timeout)
        seat = seats.get(id(conn)) or take(conn, conn)
        seat.held(site())
        seat.lent = True
        return conn

    async def putconn(conn):
        await put(conn)
        _forget_closed(page, conn)

    async def _return_connection(conn, *arguments, **named):  # since 3.2 it says who returns it
        await put_back(conn, *arguments, **named)
        _forget_closed(page, conn)

    async def close(*arguments, **named):
        page.stopping()
        try:
            await close_pool(*arguments, **named)
            if not any(seat.lent for seat in list(seats.values())):  # these stay open until they are given back
                page.done()
        finally:
            page.close(for_good=True)

    return getconn, putconn, _return_connection, close


def watch(pool, make_page):
    if is_watched(pool):
        return
    cls = type(pool)
    require(cls, "getconn", "putconn", "_add_to_pool", "_return_connection", "close")
    is_async = inspect.iscoroutinefunction(cls.getconn)
    page = make_page(pool.min_size, pool.max_size, is_async)
    functions = [_make_add(pool, page), *(_async_functions if is_async else _functions)(pool, page)]
    if pool._reset is None:
        # then putconn() itself puts the connection back, and sees what became of it
        functions = [function for function in functions if function.__name__ != "_return_connection"]
    shadow_methods(pool, functions, page)
    for conn in list(pool._pool):
        page.take(conn, conn).idle()
