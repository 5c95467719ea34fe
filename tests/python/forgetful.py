#!/usr/bin/python3
"""An application that forgets a checkout: forgetful.py POOL CONNINFO [HELD_LIMIT]

POOL is a function below. The pool has two connections; one is checked out, and a statement run on it. Prints "line N"
(of the checkout), then "ready". On SIGUSR1 it gives the connection back and prints "back"; on SIGUSR2 it closes the
pool and prints "closed". It stays until it is killed. The conninfo is libpq's; its password is in PGPASSFILE."""
import asyncio
import os
import signal
import sys

import dbtop_pages

conninfo = sys.argv[2]
held_limit = float(sys.argv[3]) if len(sys.argv) > 3 else 2
WORDS = dict(word.split("=", 1) for word in conninfo.split())
COMMANDS = {signal.SIGUSR1, signal.SIGUSR2}


def say(text):
    print(text, flush=True)


def here():
    """The line before the caller's."""
    say(f"line {sys._getframe(1).f_lineno - 1}")


def watch(pool):
    dbtop_pages.watch(pool, "forgetful", held_limit)
    return pool


def obey(give_back, close):
    """The commands, for pools without asyncio."""
    say("ready")
    while True:
        if signal.sigwait(COMMANDS) == signal.SIGUSR1:
            give_back()
            say("back")
        else:
            close()
            say("closed")


async def obey_awaiting(give_back, close):
    commands = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for command in COMMANDS:
        loop.add_signal_handler(command, commands.put_nowait, command)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, COMMANDS)
    say("ready")
    while True:
        if await commands.get() == signal.SIGUSR1:
            await give_back()
            say("back")
        else:
            await close()
            say("closed")


# --- pools ---


def psycopg():
    import psycopg_pool

    pool = watch(psycopg_pool.ConnectionPool(conninfo, min_size=2, max_size=2))
    pool.wait(600)
    connection = pool.getconn(600)
    here()
    connection.execute("SELECT 1")
    connection.commit()
    obey(lambda: pool.putconn(connection), pool.close)


def psycopg_context():
    """By a context manager that is never left."""
    import psycopg_pool

    pool = psycopg_pool.ConnectionPool(conninfo, min_size=2, max_size=2)
    pool.wait(600)
    watch(pool)
    context = pool.connection(600)
    connection = context.__enter__()
    here()
    connection.execute("SELECT 1")
    connection.commit()
    obey(lambda: context.__exit__(None, None, None), pool.close)


async def psycopg_async():
    import psycopg_pool

    pool = watch(psycopg_pool.AsyncConnectionPool(conninfo, min_size=2, max_size=2, open=False))
    await pool.open(wait=True, timeout=600)
    connection = await pool.getconn(600)
    here()
    await connection.execute("SELECT 1")
    await connection.commit()
    await obey_awaiting(lambda: pool.putconn(connection), pool.close)


def psycopg2():
    import psycopg2.pool

    pool = watch(psycopg2.pool.ThreadedConnectionPool(2, 2, conninfo))
    connection = pool.getconn()
    here()
    connection.cursor().execute("SELECT 1")
    connection.commit()
    obey(lambda: pool.putconn(connection), pool.closeall)


async def asyncpg():
    import asyncpg

    pool = watch(await asyncpg.create_pool(host=WORDS["host"], port=int(WORDS["port"]), user=WORDS["user"], timeout=600,
                                           database=WORDS["dbname"], min_size=2, max_size=2))
    taken = []

    async def nightly():
        # with a timeout asyncpg acquires in a task of its own
        taken.append(await pool.acquire(timeout=600))
        here()

    await asyncio.create_task(nightly(), name="nightly")
    await taken[0].execute("SELECT 1")
    await obey_awaiting(lambda: pool.release(taken[0]), pool.close)


def url(driver):
    from sqlalchemy.engine import URL

    return URL.create(f"postgresql+{driver}", username=WORDS["user"], port=int(WORDS["port"]), host=WORDS["host"],
                      database=WORDS["dbname"])


def sqlalchemy():
    from sqlalchemy import create_engine

    engine = watch(create_engine(url("psycopg2"), pool_size=2, max_overflow=0, pool_pre_ping=True))
    with engine.connect(), engine.connect():  # both are open afterwards
        pass
    connection = engine.connect()
    here()
    connection.exec_driver_sql("SELECT 1")
    connection.connection.commit()
    obey(connection.close, engine.dispose)


def sqlalchemy_session():
    """A Session that began no transaction on the server keeps its connection all the same."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    engine = watch(create_engine(url("psycopg2"), pool_size=2, max_overflow=0, isolation_level="AUTOCOMMIT"))
    with engine.connect(), engine.connect():
        pass
    session = Session(engine)
    session.execute(text("SELECT 1"))
    here()
    obey(session.close, engine.dispose)


async def sqlalchemy_async():
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = watch(create_async_engine(url("asyncpg"), pool_size=2, max_overflow=0, isolation_level="AUTOCOMMIT"))
    async with engine.connect(), engine.connect():
        pass
    connection = await engine.connect()
    here()
    await connection.exec_driver_sql("SELECT 1")
    await obey_awaiting(connection.close, engine.dispose)


signal.pthread_sigmask(signal.SIG_BLOCK, COMMANDS)
play = globals()[sys.argv[1]]
if asyncio.iscoroutinefunction(play):
    asyncio.run(play())
else:
    play()
