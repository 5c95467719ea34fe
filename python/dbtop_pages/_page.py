"""A pool's stats page, and which connection sits in which of its slots."""

import atexit
import functools
import logging
import math
import os
import sys
import threading
import time
import weakref

from . import _library
from ._site import make_finder

logger = logging.getLogger("dbtop_pages")

_RETRY = 60.0  # seconds until a page that could not be created is tried again

_pages = weakref.WeakSet()


def _ignore(*_arguments):
    pass


class Seat:
    """A connection's slot. held(site) and idle() are one call of the library each."""

    __slots__ = ("held", "idle", "empty", "slot", "lent", "alive")

    def __init__(self, handle, slot, backend_pid):
        def change(state, *site):
            return functools.partial(_library.slot_change(handle, slot, state, backend_pid), *site)

        self.slot = slot
        self.held = change(_library.HELD)
        self.idle = change(_library.IDLE, None)
        self.empty = change(_library.EMPTY, None)
        self.lent = False  # for those who need to know
        self.alive = None  # a weak reference to what the seat is for


class _NoSeat:
    """Where there is no page, or no slot is left."""

    held = idle = staticmethod(_ignore)
    lent = False


class Page:
    """The page is created with the first connection, because only then its server is known, and because a process
    that forks workers often has none. A forked child begins anew."""

    def __init__(self, name, held_limit, skip, least, most, tasks=True):
        if held_limit is not None and not 0 < held_limit < math.inf:
            raise ValueError("held_limit is a number of seconds above 0, or None")
        name = name or os.path.basename(sys.argv[0]) or "python"
        self.name = name.encode("utf-8", "replace")
        most = min(most or _library.SLOTS_MAX, _library.SLOTS_MAX)
        self.sizes = min(least, most), most
        self.held_ms = _library.OFF if held_limit is None else min(max(int(held_limit * 1000), 1), 2**31 - 1)
        self.site = make_finder(skip, tasks)
        self.seats = {}  # id of what a seat is for: Seat
        self._failed = self._ended_for_good = False
        self._begin()
        _pages.add(self)

    def _begin(self):
        self.handle = None
        self.seats.clear()
        self._free = []
        self._lock = threading.RLock()
        self._next_try = 0.0

    def _open(self, connection):
        now = time.monotonic()
        if now < self._next_try:
            return False
        self._next_try = now + _RETRY
        try:
            self.handle = _library.open_page(self.name, _server(connection), *self.sizes, self.held_ms)
        except OSError as error:
            self.failed("no stats page can be created: %s", error)
            return False
        self._free = list(reversed(range(self.sizes[1])))
        return True

    def take(self, key, connection):
        """A seat for a connection that has none: never None. It is given up when `key` ends or by vacate()."""
        try:
            with self._lock:
                return self.seats.get(id(key)) or self._take(key, connection)
        except Exception as error:
            self.failed("a connection cannot be shown: %r", error)
            return _NoSeat

    def _take(self, key, connection):
        if self.handle is None and (self._ended_for_good or not self._open(connection)):
            return _NoSeat
        if not self._free:
            return _NoSeat
        seat = Seat(self.handle, self._free.pop(), _backend_pid(connection))
        number = id(key)
        try:
            seat.alive = weakref.ref(key, functools.partial(self._ended, number))
        except TypeError:
            pass  # who makes such keys gives up the seats
        self.seats[number] = seat
        return seat

    def _ended(self, number, reference):
        # may be called at any time, by the garbage collector: no lock
        seat = self.seats.get(number)
        if seat is not None and seat.alive is reference:
            self._leave(number)

    def _leave(self, number):
        seat = self.seats.pop(number, None)
        if seat is not None:
            seat.empty()
            self._free.append(seat.slot)

    def vacate(self, key):
        """The connection is closed, or no longer the pool's."""
        self._leave(id(key))

    def counter(self, number, add):
        handle = self.handle
        if handle is not None:
            handle.counter(number, add)

    def stopping(self):
        self._phase(_library.STOPPING)

    def done(self):
        """The pool has closed its connections: what dbtop's shutdown tests want to know."""
        self._phase(_library.DONE)

    def _phase(self, number):
        handle = self.handle
        if handle is not None:
            handle.phase(number)

    def close(self, for_good=False):
        """Removes the page. Unless for good, the next connection makes another one."""
        with self._lock:
            self._ended_for_good = self._ended_for_good or for_good
            self.handle = None
            self._free = []
            self._next_try = 0.0
            self.seats.clear()

    def failed(self, text, error):
        """What goes wrong here is never the application's trouble. It is logged once."""
        if not self._failed:
            self._failed = True
            logger.warning("dbtop_pages: %s: " + text, self.name.decode("utf-8", "replace"), error)


def _server(connection):
    """As on libdbpool's pages: host:port/database. b"" where the driver does not say."""
    info = getattr(connection, "info", None)
    if info is not None and hasattr(info, "dbname"):
        return f"{info.host}:{info.port}/{info.dbname}".encode("utf-8", "replace")
    address = getattr(connection, "_addr", None)
    database = getattr(getattr(connection, "_params", None), "database", None)
    if address is None or database is None:
        return b""
    if isinstance(address, str):  # a Unix socket's file: /run/postgresql/.s.PGSQL.5432
        folder, _, file = address.rpartition("/")
        address = folder, file.rpartition(".")[2]
    return f"{address[0]}:{address[1]}/{database}".encode("utf-8", "replace")


def _backend_pid(connection):
    """0 where the driver does not say."""
    if hasattr(connection, "get_server_pid"):  # asyncpg
        return connection.get_server_pid()
    info = getattr(connection, "info", None)
    return getattr(info, "backend_pid", 0) or 0


def _after_fork():
    for page in list(_pages):
        page._begin()


def _at_exit():
    for page in list(_pages):
        page.close(for_good=True)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
