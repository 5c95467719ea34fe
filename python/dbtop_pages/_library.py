"""libdbpage, by ctypes: dbpage.h has the description."""

import ctypes
import functools
import os
import sysconfig

IDLE, HELD, EMPTY = 2, 3, 0
WAITERS, TIMEOUTS = 0, 1
STOPPING, DONE = 3, 8
OFF = -1
SLOTS_MAX = 256
_UNKNOWN = -(2**63)


class _Config(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("server", ctypes.c_char_p),
        ("folder", ctypes.c_char_p),
        ("min", ctypes.c_int),
        ("max", ctypes.c_int),
        ("held_ms", ctypes.c_int),
    ]


class _Change(ctypes.Structure):
    _fields_ = [
        ("page", ctypes.c_void_p),
        ("slot", ctypes.c_uint),
        ("state", ctypes.c_int),
        ("backend_pid", ctypes.c_int32),
        ("backend_start", ctypes.c_int64),
    ]


def _load():
    """The dynamic linker may not know /usr/local/lib, or only after ldconfig."""
    name = "libdbpage.so.0"
    places = [os.environ.get("DBTOP_PAGES_LIBRARY"), name]
    for folder in ("/usr/local/lib", f"/usr/local/lib/{sysconfig.get_config_var('MULTIARCH')}", "/usr/local/lib64"):
        places.append(f"{folder}/{name}")
    for place in filter(None, places):
        try:
            # PyDLL keeps Python's lock, because the calls are shorter than giving it up.
            return ctypes.PyDLL(place)
        except OSError as error:
            first = error if place in places[:2] else first
    raise OSError(f"dbtop_pages needs libdbpage, which comes with dbtop; DBTOP_PAGES_LIBRARY names another place: {first}")


_library = _load()
_library.dbpage_open.restype = ctypes.c_void_p
_library.dbpage_path.restype = ctypes.c_char_p
for _name in ("change", "counter", "phase", "close"):
    getattr(_library, "dbpage_" + _name).restype = None
# Without argtypes ready-made arguments are passed as they are.
_change = _library.dbpage_change
_counter = _library.dbpage_counter
_phase = _library.dbpage_phase
_close = _library.dbpage_close


class Handle(ctypes.c_void_p):
    """An open page. It is closed when nobody refers to it, so no thread can use it afterwards."""

    def __del__(self, close=_close):
        close(self)

    def counter(self, number, add):
        _counter(self, number, ctypes.c_int64(add))

    def phase(self, number):
        _phase(self, number)


def open_page(name, server, least, most, held_ms):
    """Raises OSError."""
    config = _Config(ctypes.sizeof(_Config), name, server, None, least, most, held_ms)
    error = ctypes.c_int()
    page = _library.dbpage_open(ctypes.byref(config), ctypes.byref(error))
    if not page:
        raise OSError(-error.value, os.strerror(-error.value))
    return Handle(page)


def slot_change(handle, number, state, backend_pid):
    """A function of the site."""
    change = _Change(handle.value, number, state, backend_pid, _UNKNOWN)
    change.handle = handle  # the page lives as long as the function
    return functools.partial(_change, ctypes.byref(change))
