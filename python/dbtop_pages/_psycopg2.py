"""Pools of psycopg2.pool."""

from ._library import TIMEOUTS
from ._shadow import is_watched, shadow_methods


def _functions(pool, page):
    get, put, close_all = pool.getconn, pool.putconn, pool.closeall
    seats, take, vacate, site = page.seats, page.take, page.vacate, page.site

    def getconn(key=None):
        try:
            conn = get(key)
        except Exception as error:
            if "exhausted" in str(error):
                page.counter(TIMEOUTS, 1)
            raise
        seat = seats.get(id(conn)) or take(conn, conn)
        if not seat.lent:  # the same key gets the same connection again
            seat.held(site())
            seat.lent = True
        return conn

    def putconn(conn=None, key=None, close=False):
        # first, because another thread may borrow it at once
        seat = seats.get(id(conn))
        if seat is not None:
            seat.idle()
            seat.lent = False
        put(conn, key, close)
        if seat is not None and conn.closed:
            vacate(conn)

    def closeall():
        page.stopping()
        try:
            close_all()
            page.done()
        finally:
            page.close(for_good=True)

    return getconn, putconn, closeall


def watch(pool, make_page):
    if is_watched(pool):
        return
    page = make_page(pool.minconn, pool.maxconn, False)
    shadow_methods(pool, _functions(pool, page), page)
    for conn in list(pool._pool):
        page.take(conn, conn).idle()
