#!/usr/bin/python3
"""dbtop_pages without a server: sites, seats, forks, and what goes wrong."""
import asyncio
import gc
import glob
import os
import sys
import tempfile
import threading
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import dbtop_pages
import read_page
from dbtop_pages import _page, _site


class Connection:
    """Of a driver, as far as it matters."""

    def __init__(self, pid):
        self.info = types.SimpleNamespace(host="db", port=5432, dbname="shop", backend_pid=pid)


def run_as(module, code, **names):
    """Functions of another module."""
    names = {"__name__": module, **names}
    exec(compile(code, f"/srv/{module}.py", "exec"), names)
    return names


class Sites(unittest.TestCase):
    def setUp(self):
        self.find = _site.make_finder()

    def taken(self):
        """Stands for a pool's getconn(), whose caller is wanted."""
        return self.find()

    def test_the_callers_line(self):
        line = sys._getframe().f_lineno + 1
        self.assertEqual(self.taken(), f"test_pages.py:{line}".encode())
        sites = {self.taken() for _ in range(3)}  # the second time from the cache
        self.assertEqual(sites, {f"test_pages.py:{line + 1}".encode()})

    def test_two_checkouts_in_one_line_and_one_function(self):
        a = self.taken()
        b = self.taken()
        self.assertEqual(int(b.rpartition(b":")[2]) - int(a.rpartition(b":")[2]), 1)

    def test_libraries_are_passed_over(self):
        deep = run_as("sqlalchemy.orm.session", "def call(function): return function()")["call"]
        line = sys._getframe().f_lineno + 1
        self.assertEqual(deep(lambda: deep(self.taken)).rpartition(b":")[2], str(line).encode())

    def test_generated_code_is_its_modules(self):
        names = {"__name__": "sqlalchemy.util"}
        exec("def call(function): return function()", names)
        line = sys._getframe().f_lineno + 1
        self.assertEqual(names["call"](self.taken), f"test_pages.py:{line}".encode())
        # the same file name, "<string>"
        names["__name__"] = "shop"
        self.assertEqual(names["call"](self.taken)[-9:], b"string>:1")

    def test_the_applications_own_layer(self):
        layer = run_as("shop.database", "def call(function): return function()")["call"]
        self.assertEqual(layer(self.taken), b"srv/shop.database.py:1")
        self.find = _site.make_finder(["shop.database"])
        line = sys._getframe().f_lineno + 1
        self.assertEqual(layer(self.taken), f"test_pages.py:{line}".encode())
        other = run_as("shop.database2", "def call(function): return function()")["call"]
        self.assertEqual(other(self.taken), b"srv/shop.database2.py:1")

    def test_nobody_is_the_application(self):
        self.find = _site.make_finder(["__main__", "unittest", "test_pages", "runpy"])
        self.assertEqual(self.taken(), b"")

    def test_tasks_have_names(self):
        async def job():
            return self.taken()

        async def main(name):
            return await asyncio.create_task(job(), name=name)

        self.assertRegex(asyncio.run(main("nightly")), rb"^test_pages\.py:\d+ \(nightly\)$")
        self.assertRegex(asyncio.run(main("n" * 100)), rb"^test_pages\.py:\d+ \(n{24}\)$")
        self.assertRegex(asyncio.run(main("nächtlich")), rb"^test_pages\.py:\d+ \(n\?chtlich\)$")

    def test_without_tasks(self):
        self.find = _site.make_finder((), False)

        async def main():
            return [self.taken() for _ in range(2)]

        sites = asyncio.run(main())
        self.assertEqual(sites[0], sites[1])
        self.assertRegex(sites[0], rb"^test_pages\.py:\d+$")

    def test_long_paths_keep_their_end(self):
        code = "def call(function): return function()"
        names = {"__name__": "shop"}
        exec(compile(code, "/srv/" + "folder/" * 20 + "orders.py", "exec"), names)
        site = names["call"](self.taken)
        self.assertLessEqual(len(site), 63)
        self.assertTrue(site.endswith(b"folder/orders.py:1"), site)

        async def main():
            return names["call"](self.taken)

        site = asyncio.run(main())
        self.assertLessEqual(len(site), 63)
        self.assertTrue(site.endswith(b"/orders.py:1 (Task-%d)" % int(site.rpartition(b"-")[2][:-1])), site)

    def test_greenlets_are_looked_through(self):
        greenlet = _site.greenlet
        inner = greenlet.greenlet(run_as("sqlalchemy.util", "def call(function): return function()")["call"])
        line = sys._getframe().f_lineno + 1
        self.assertEqual(inner.switch(self.taken), f"test_pages.py:{line}".encode())


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        os.environ["XDG_RUNTIME_DIR"] = self.folder.name

    def tearDown(self):
        self.folder.cleanup()

    def files(self):
        return glob.glob(self.folder.name + "/dbpool/*.page")

    def read(self):
        (file,) = self.files()
        return read_page.read_page(file)


class Pages(Folder):
    def make(self, most=2):
        return _page.Page("shop", 60.0, (), 0, most)

    def test_a_seat_is_a_slot(self):
        page = self.make()
        self.assertEqual(self.files(), [])
        connection = Connection(4711)
        seat = page.take(connection, connection)
        seat.idle()
        seat.held(b"orders.py:212")
        seen = self.read()
        self.assertEqual((seen["name"], seen["server"], seen["open"], seen["held"]), ("shop", "db:5432/shop", 1, 1))
        self.assertEqual((seen["slots"][0]["backend_pid"], seen["slots"][0]["site"]), (4711, "orders.py:212"))
        self.assertIs(page.take(connection, connection), seat)
        page.close()
        del seat
        self.assertEqual(self.files(), [])

    def test_seats_are_used_again(self):
        page = self.make()
        for pid in range(1, 20):
            connection = Connection(pid)
            page.take(connection, connection).held(b"a.py:1")
            self.assertEqual(self.read()["open"], 1)
            if pid % 2:
                page.vacate(connection)
                page.vacate(connection)
            del connection
            gc.collect()
            self.assertEqual(self.read()["open"], 0)
        page.close()

    def test_more_connections_than_slots(self):
        page = self.make(2)
        connections = [Connection(pid) for pid in (1, 2, 3)]
        for connection in connections:
            page.take(connection, connection).held(b"a.py:1")
        self.assertEqual(self.read()["held"], 2)
        page.vacate(connections[0])
        page.take(connections[2], connections[2]).held(b"a.py:1")
        self.assertEqual({slot["backend_pid"] for slot in self.read()["slots"]}, {2, 3})
        page.close()

    def test_a_seat_outlives_its_page(self):
        page = self.make()
        connection = Connection(1)
        held = page.take(connection, connection).held
        page.close()
        held(b"a.py:1")
        del held
        self.assertEqual(self.files(), [])
        page.take(connection, connection).held(b"a.py:1")
        self.assertEqual(len(self.files()), 1)
        page.close(for_good=True)
        page.take(connection, connection).held(b"a.py:1")
        self.assertEqual(self.files(), [])

    def phase_left_by(self, end):
        """The last phase on a page that is removed."""
        page = self.make()
        connection = Connection(1)
        page.take(connection, connection).idle()
        with open(self.files()[0], "rb") as file:
            end(page)
            self.assertEqual(self.files(), [])
            file.seek(704)
            return int.from_bytes(file.read(4), sys.byteorder)

    def test_the_end_of_python_is_no_close(self):
        def close(page):
            page.stopping()
            page.done()
            page.close(for_good=True)

        self.assertEqual(self.phase_left_by(close), 8)
        self.assertEqual(self.phase_left_by(lambda page: _page._at_exit()), 2)

    def test_a_child_has_its_own(self):
        page = self.make()
        connection = Connection(1)
        page.take(connection, connection).held(b"parent.py:1")
        child = os.fork()
        if child == 0:
            page.vacate(connection)
            before = len(self.files())
            own = Connection(2)
            page.take(own, own).held(b"child.py:1")
            right = before == 1 and len(self.files()) == 2
            page.close()
            os._exit(0 if right and len(self.files()) == 1 else 1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual(self.read()["slots"][0]["site"], "parent.py:1")
        page.close()

    def test_a_page_that_cannot_be_made_is_logged_once(self):
        page = self.make()
        page.sizes = 0, 1000  # the library refuses that
        with self.assertLogs("dbtop_pages", "WARNING") as logs:
            for pid in (1, 2):
                connection = Connection(pid)
                page.take(connection, connection).held(b"a.py:1")
                page._next_try = 0.0
        self.assertEqual(logs.output, [
            "WARNING:dbtop_pages:dbtop_pages: shop: no stats page can be created: [Errno 22] Invalid argument"])
        self.assertEqual(self.files(), [])

    def test_a_strange_connection_is_logged_and_no_more(self):
        class Strange:
            @property
            def info(self):
                raise RuntimeError("closed")

        page = self.make()
        strange = Strange()
        with self.assertLogs("dbtop_pages", "WARNING"):
            page.take(strange, strange).held(b"a.py:1")
        page.close()

    def test_threads_share_a_page(self):
        page = self.make(8)

        def work(number):
            for _ in range(300):
                connection = Connection(number)
                seat = page.take(connection, connection)
                seat.held(b"a.py:1")
                seat.idle()
                page.vacate(connection)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = self.read()
        self.assertEqual((seen["open"], seen["acquired"]), (0, 2400))
        self.assertEqual(len(page._free), 8)
        page.close()


class Pool:
    """Of psycopg_pool 3.2, as far as it is watched."""

    __module__ = "psycopg_pool.pool"
    min_size, max_size = 0, 2

    def __init__(self, reset):
        self._pool = [PooledConnection(pid) for pid in (1, 2)]
        self._reset = reset
        self.expires = False

    def getconn(self, timeout=None):
        return self._pool.pop()

    def putconn(self, conn):
        self._return_connection(conn, from_getconn=False)

    def _return_connection(self, conn, from_getconn):
        if self.expires:
            conn.closed = True
        else:
            self._add_to_pool(conn)

    def _add_to_pool(self, conn):
        self._pool.append(conn)

    def close(self, timeout=5.0):
        self._pool.clear()


class PooledConnection(Connection):
    closed = False


class Psycopg(Folder):
    def check_returns(self, pool):
        dbtop_pages.watch(pool, "shop")
        self.assertEqual((self.read()["open"], self.read()["held"]), (2, 0))
        conn = pool.getconn()
        self.assertEqual((self.read()["open"], self.read()["held"]), (2, 1))
        pool.putconn(conn)
        self.assertEqual((self.read()["open"], self.read()["held"]), (2, 0))
        # a connection that does not go back into the pool, and that a variable keeps alive
        conn = pool.getconn(timeout=1)
        pool.expires = True
        pool.putconn(conn)
        self.assertEqual((self.read()["open"], self.read()["held"]), (1, 0))
        pool.close()
        self.assertEqual(self.files(), [])

    def test_connections_come_back(self):
        self.check_returns(Pool(None))

    def test_connections_come_back_by_a_worker(self):
        self.check_returns(Pool(lambda conn: None))

    def test_a_pool_is_watched_once(self):
        pool = Pool(None)
        dbtop_pages.watch(pool)
        get = pool.getconn
        dbtop_pages.watch(pool)
        self.assertIs(pool.getconn, get)
        pool.close()

    def test_an_unknown_version_is_refused(self):
        other = type("Pool", (), {"__module__": "psycopg_pool.pool", "getconn": Pool.getconn, "putconn": Pool.putconn})
        with self.assertRaisesRegex(TypeError, "no _add_to_pool"):
            dbtop_pages.watch(other())


class Watching(unittest.TestCase):
    def test_what_cannot_be_watched(self):
        with self.assertRaisesRegex(TypeError, "cannot watch a builtins.list"):
            dbtop_pages.watch([])
        from sqlalchemy import create_engine

        with self.assertRaisesRegex(TypeError, "PostgreSQL, not sqlite"):
            dbtop_pages.watch(create_engine("sqlite://"))

    def test_impossible_limits(self):
        for limit in (0, -1, float("nan"), float("inf")):
            with self.assertRaises(ValueError):
                _page.Page("shop", limit, (), 0, 2)
        self.assertEqual(_page.Page("shop", None, (), 0, 2).held_ms, -1)
        self.assertEqual(_page.Page("shop", 0.5, (), 0, 2).held_ms, 500)


if __name__ == "__main__":
    unittest.main()
