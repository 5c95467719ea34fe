"""Pools of asyncpg. A pool has a fixed number of holders, each with one connection or none: a holder has a seat while
it has a connection."""

import asyncio

from ._library import TIMEOUTS, WAITERS
from ._shadow import is_watched, require, swap_class


def _holder_methods(cls, page):
    connect_holder, release, release_on_close = cls.connect, cls._release, cls._release_on_close
    seats, take, vacate = page.seats, page.take, page.vacate

    async def connect(self):
        vacate(self)
        await connect_holder(self)
        take(self, self._con).idle()

    def _release(self):
        if self._in_use is not None:
            seat = seats.get(id(self))
            if seat is not None:
                seat.idle()
        release(self)

    def _release_on_close(self):
        release_on_close(self)
        vacate(self)

    return connect, _release, _release_on_close


def _watch_holders(pool, page):
    for holder in pool._holders:
        if is_watched(holder):
            continue
        swap_class(holder, _holder_methods(type(holder), page), page)
        if holder.is_connected() and holder.is_idle():
            page.take(holder, holder._con).idle()


def _pool_methods(cls, page):
    acquire, start, close_pool, end_pool = cls._acquire, cls._initialize, cls.close, cls.terminate
    seats, take, site = page.seats, page.take, page.site

    async def _acquire(self, timeout):
        queue = self._queue
        if queue is not None and queue.empty():
            page.counter(WAITERS, 1)
            try:
                proxy = await acquire(self, timeout)
            except asyncio.TimeoutError:
                page.counter(TIMEOUTS, 1)
                raise
            finally:
                page.counter(WAITERS, -1)
        else:
            proxy = await acquire(self, timeout)
        holder = proxy._holder
        seat = seats.get(id(holder)) or take(holder, proxy._con)
        seat.held(site())
        return proxy

    async def _initialize(self):
        await start(self)
        _watch_holders(self, page)

    async def close(self):
        page.stopping()
        try:
            await close_pool(self)
            page.done()
        finally:
            page.close(for_good=True)

    def terminate(self):
        page.stopping()
        end_pool(self)  # aborts: nothing is closed in order
        page.close(for_good=True)

    return _acquire, _initialize, close, terminate


def watch(pool, make_page):
    if is_watched(pool):
        return
    require(type(pool), "_acquire", "_initialize", "close", "terminate")
    page = make_page(pool._minsize, pool._maxsize)
    swap_class(pool, _pool_methods(type(pool), page), page)
    _watch_holders(pool, page)
