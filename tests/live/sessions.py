#!/usr/bin/python3
"""Sessions of real drivers: sessions.py DRIVER CONNINFO

Brings one connection (a pool: two) where the driver's users bring theirs, prints "ready", and stays until it is
killed. The conninfo is libpq's; its password is in PGPASSFILE."""
import asyncio
import os
import select
import sys
import threading
import time

driver, conninfo = sys.argv[1:]


def password():
    with open(os.environ["PGPASSFILE"]) as file:
        return file.read().strip().rsplit(":", 1)[1]


def words():
    return dict(word.split("=", 1) for word in conninfo.split())


def stay():
    print("ready", flush=True)
    time.sleep(3600)


def psycopg2_idle():
    import psycopg2

    connection = psycopg2.connect(conninfo)
    connection.cursor().execute("SELECT 1")
    connection.commit()
    stay()


def psycopg2_transaction():
    """Forgets that psycopg2 begins a transaction by itself."""
    import psycopg2

    connection = psycopg2.connect(conninfo)
    connection.cursor().execute("SELECT 1")
    stay()


def psycopg2_listen():
    """LISTEN, COMMIT, then a health check, as job queues do: only who has seen the LISTEN knows. It waits for
    a line on stdin before each step."""
    import psycopg2

    connection = psycopg2.connect(conninfo)
    print("connected", flush=True)
    cursor = connection.cursor()
    for statement in ("LISTEN jobs", "COMMIT", "SELECT 1"):
        sys.stdin.readline()
        cursor.execute(statement)
        print("ran", statement, flush=True)
    sys.stdin.readline()
    connection.commit()
    select.select([connection], [], [])


def psycopg2_copy():
    """COPY FROM STDIN whose source hangs."""
    import psycopg2

    class Source:
        def read(self, size):
            stay()

    connection = psycopg2.connect(conninfo)
    connection.cursor().copy_expert("COPY fed FROM STDIN", Source())


def psycopg3_pool():
    from psycopg_pool import ConnectionPool

    pool = ConnectionPool(conninfo, min_size=2, max_size=2)
    pool.wait()
    with pool.connection() as connection:
        connection.execute("SELECT 1")
    stay()


def psycopg3_close():
    """Ends in order at SIGINT."""
    from psycopg_pool import ConnectionPool

    try:
        with ConnectionPool(conninfo, min_size=2, max_size=2) as pool:
            pool.wait()
            stay()
    except KeyboardInterrupt:
        pass


def psycopg3_exit():
    """Leaves its pool as it is."""
    from psycopg_pool import ConnectionPool

    try:
        pool = ConnectionPool(conninfo, min_size=2, max_size=2)
        pool.wait()
        stay()
    except KeyboardInterrupt:
        os._exit(0)


def psycopg3_borrower():
    """At SIGINT it waits for the borrower of a connection, who needs it for $HELD seconds more."""
    from psycopg_pool import ConnectionPool

    def borrow():
        with pool.connection() as connection:
            connection.execute("SELECT 1")
            asked.wait()
            time.sleep(float(os.environ["HELD"]))

    pool = ConnectionPool(conninfo, min_size=2, max_size=2)
    pool.wait()
    asked = threading.Event()
    borrower = threading.Thread(target=borrow)
    borrower.start()
    try:
        stay()
    except KeyboardInterrupt:
        asked.set()
        borrower.join()
        pool.close()


def psycopg3_daemon():
    """Ends at SIGINT, in order as it seems, while a daemon thread waits for a statement."""
    import psycopg

    connection, other = psycopg.connect(conninfo), psycopg.connect(conninfo)
    threading.Thread(target=connection.execute, args=("SELECT pg_sleep(3600)",), daemon=True).start()
    try:
        stay()
    except KeyboardInterrupt:
        other.close()


def sqlalchemy_pool():
    import sqlalchemy

    named = words()
    url = sqlalchemy.engine.URL.create("postgresql+psycopg2") if hasattr(
        sqlalchemy.engine.URL, "create") else "postgresql+psycopg2://"
    engine = sqlalchemy.create_engine(url, connect_args=dict(
        host=named["host"], port=named["port"], user=named["user"], dbname=named["dbname"]))
    connections = [engine.connect() for _ in range(2)]
    for connection in connections:
        connection.execute(sqlalchemy.text("SELECT 1"))
        connection.close()
    stay()


async def asyncpg_listen():
    import asyncpg

    named = words()
    connection = await asyncpg.connect(host=named["host"], port=int(named["port"]), user=named["user"],
                                       database=named["dbname"], password=password())
    await connection.add_listener("jobs", lambda *_: None)
    print("ready", flush=True)
    await asyncio.sleep(3600)


async def asyncpg_pool():
    import asyncpg

    named = words()
    pool = await asyncpg.create_pool(host=named["host"], port=int(named["port"]), user=named["user"],
                                     database=named["dbname"], password=password(), min_size=2, max_size=2)
    async with pool.acquire() as connection:
        await connection.fetch("SELECT 1")
    print("ready", flush=True)
    await asyncio.sleep(3600)


play = globals()[driver]
if asyncio.iscoroutinefunction(play):
    asyncio.run(play())
else:
    play()
