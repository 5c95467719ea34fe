"""Where in the application a connection is checked out: "shop/orders.py:212", or with the asyncio task's name,
"shop/orders.py:212 (nightly)"."""

import asyncio
import os
import sys

try:
    import greenlet
except ImportError:
    greenlet = None

_getframe = sys._getframe
_running_loop = asyncio._get_running_loop
_current_task = asyncio.current_task

# Pools, drivers and frameworks that stand between the application and its pool.
_LIBRARIES = frozenset(
    "dbtop_pages psycopg psycopg_pool psycopg2 asyncpg sqlalchemy greenlet gevent contextlib asyncio concurrent threading"
    " functools flask_sqlalchemy sqlalchemy_utils sqlmodel alembic databases flask werkzeug django starlette fastapi"
    " uvicorn gunicorn anyio aiohttp celery pytest".split()
)

_SITE_MAX = 63  # bytes: longer ones would be cut by the page
_TASK_MAX = 24
_MOST_FILES, _MOST_CODES = 5000, 2000  # of programs that make code all the time


def _short_path(path):
    """From the folder on that Python imports from."""
    folders = [os.path.abspath(folder) + os.sep for folder in sys.path]
    path = os.path.abspath(path)
    best = max((folder for folder in folders if path.startswith(folder)), key=len, default="")
    return path[len(best) :] if best else os.path.join(*path.split(os.sep)[-2:])


def _tail(text, size):
    """The end of a path says more than its beginning."""
    if len(text) <= size:
        return text
    end = text[-size:]
    return end.partition("/")[2] or end


class _File:
    """A file of the application."""

    def __init__(self, path):
        self.path = _short_path(path)
        self.codes = {}  # id of a code object: its _Code


class _Code(dict):
    """From a position in a code object to the site there, whole and short. It keeps the code object alive, so that no
    other one gets its id."""

    def __init__(self, code):
        self.code = code


_LIBRARY = object()


def make_finder(skip=(), tasks=True):
    """A function that returns the site of its caller's caller; b"" where no frame is the application's.

    tasks: whether the task's name follows."""
    skipped = tuple(skip)
    files = {}  # what is known of a code object's file: a _File, _LIBRARY, or None for code that is in no file
    get = files.get

    def is_library(frame):
        module = frame.f_globals.get("__name__")
        if not isinstance(module, str) or module.partition(".")[0] in _LIBRARIES:
            return True
        return any(module == name or module.startswith(name + ".") for name in skipped)

    def learn(frame):
        """The _File of the frame, or _LIBRARY."""
        path = frame.f_code.co_filename
        if len(files) >= _MOST_FILES:
            files.clear()
        found = _LIBRARY if is_library(frame) else _File(path)
        # "<string>" and its like are many modules' code
        files[path] = None if path.startswith("<") else found
        return found

    def learn_line(file, frame):
        code = frame.f_code
        known = file.codes.get(id(code))
        if known is None:
            if len(file.codes) >= _MOST_CODES:
                file.codes.clear()
            known = file.codes[id(code)] = _Code(code)
        text = f"{file.path}:{frame.f_lineno}"
        sites = tuple(_tail(text, size).encode("ascii", "replace") for size in (_SITE_MAX, _SITE_MAX - _TASK_MAX - 3))
        known[frame.f_lasti] = sites
        return sites

    def site_of(file, frame):
        try:
            sites = file.codes[id(frame.f_code)][frame.f_lasti]
        except KeyError:
            sites = learn_line(file, frame)
        loop = _running_loop() if tasks else None
        task = None if loop is None else _current_task(loop)
        if task is None:
            return sites[0]
        return b"%b (%b)" % (sites[1], task.get_name()[:_TASK_MAX].encode("ascii", "replace"))

    def find_below():
        """SQLAlchemy's asyncio runs in a greenlet of its own, below the coroutine's."""
        for frame in _waiting_greenlets():
            while frame is not None:
                file = get(frame.f_code.co_filename) or learn(frame)
                if file is not _LIBRARY:
                    return site_of(file, frame)
                frame = frame.f_back
        return b""

    def find():
        # each name and call less here is some percent of a checkout
        frame = _getframe(2)
        try:
            file = get(frame.f_code.co_filename)
            while file is _LIBRARY:
                frame = frame.f_back
                file = get(frame.f_code.co_filename)
            if not tasks:
                return file.codes[id(frame.f_code)][frame.f_lasti][0]
            if file is not None:
                return site_of(file, frame)
        except Exception:
            pass  # something is not known yet, or the last frame has none below it
        return find_carefully(_getframe(2))

    def find_carefully(frame):
        try:
            while frame is not None:
                file = get(frame.f_code.co_filename) or learn(frame)
                if file is not _LIBRARY:
                    return site_of(file, frame)
                frame = frame.f_back
            return find_below()
        except Exception:
            return b""  # none of it may reach the application

    return find


def _waiting_greenlets():
    """The frames in which the greenlets below this one wait."""
    waiting = greenlet.getcurrent().parent if greenlet else None
    while waiting is not None and waiting.gr_frame is not None:
        yield waiting.gr_frame
        waiting = waiting.parent
