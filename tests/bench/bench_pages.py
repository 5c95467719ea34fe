#!/usr/bin/python3
"""What dbtop_pages costs a checkout: bench_pages.py CONNINFO [ROUNDS]

Each pool of Python has a twin that is not watched. The two alternate in short rounds of one run; what counts
is each one's best round, in processor time of this process. Fails where a checkout by context manager costs more than twice a bare one (the aim is
1.3). CONNINFO has a host, a port, a user and a dbname."""
import asyncio
import sys
import time

import asyncpg
import psycopg2.pool
import psycopg_pool
import sqlalchemy

import dbtop_pages

conninfo = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
WORDS = dict(word.split("=", 1) for word in conninfo.split())
URL = sqlalchemy.engine.URL.create("postgresql+psycopg2", database=WORDS["dbname"], username=WORDS["user"],
                                   host=WORDS["host"], port=int(WORDS["port"]))
results = []


def compare(name, bare, watched, times, judged):
    """Both are functions of a number of checkouts, and return the seconds that they took."""
    pairs = [(bare(times), watched(times)) for _ in range(ROUNDS + 2)][2:]
    note(name, pairs, times, judged)


def note(name, pairs, times, judged):
    usec = [min(side) / times * 1e6 for side in zip(*pairs)]
    ratio = usec[1] / usec[0]
    results.append((name, ratio, judged))
    print(f"| {name} | {usec[0]:.2f} µs | {usec[1]:.2f} µs | {ratio:.2f} |{' (aim: 1.3)' if judged else ''}", flush=True)


def timed(cycle):
    def run(times):
        began = time.process_time()
        for _ in range(times):
            cycle()
        return time.process_time() - began
    return run


def psycopg_cycles(pool):
    def by_context():
        with pool.connection():
            pass

    def with_statement():
        with pool.connection() as connection:
            connection.execute("SELECT 1")

    def by_hand():
        pool.putconn(pool.getconn())

    return by_context, with_statement, by_hand


def of_psycopg():
    pools = [psycopg_pool.ConnectionPool(conninfo, min_size=2, max_size=2) for _ in range(2)]
    for pool in pools:
        pool.wait()
    dbtop_pages.watch(pools[1])
    names = ("psycopg_pool, connection()", True), ("psycopg_pool, SELECT 1", False), ("psycopg_pool, getconn()", False)
    for (name, judged), *cycles in zip(names, *(psycopg_cycles(pool) for pool in pools)):
        compare(name, *map(timed, cycles), 20 if "SELECT" in name else 200, judged)
    for pool in pools:
        pool.close()


def sqlalchemy_cycles(engine):
    def by_context():
        with engine.connect():
            pass

    def with_statement():
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    return by_context, with_statement


def of_sqlalchemy():
    engines = [sqlalchemy.create_engine(URL) for _ in range(2)]
    dbtop_pages.watch(engines[1])
    names = ("SQLAlchemy, connect()", True), ("SQLAlchemy, SELECT 1", False)
    for (name, judged), *cycles in zip(names, *(sqlalchemy_cycles(engine) for engine in engines)):
        compare(name, *map(timed, cycles), 20 if "SELECT" in name else 200, judged)


def of_psycopg2():
    pools = [psycopg2.pool.ThreadedConnectionPool(1, 2, conninfo) for _ in range(2)]
    dbtop_pages.watch(pools[1])

    def select(pool):
        connection = pool.getconn()
        connection.cursor().execute("SELECT 1")
        pool.putconn(connection)

    compare("psycopg2.pool, getconn()", *(timed(lambda pool=pool: pool.putconn(pool.getconn())) for pool in pools), 200, False)
    compare("psycopg2.pool, SELECT 1", *(timed(lambda pool=pool: select(pool)) for pool in pools), 20, False)


async def compare_async(name, pools, cycle, times, judged):
    async def run(pool):
        began = time.process_time()
        for _ in range(times):
            await cycle(pool)
        return time.process_time() - began

    pairs = [(await run(pools[0]), await run(pools[1])) for _ in range(ROUNDS + 2)][2:]
    note(name, pairs, times, judged)


async def of_asyncpg():
    where = {"host": WORDS["host"], "port": int(WORDS["port"]), "user": WORDS["user"], "database": WORDS["dbname"]}
    pools = [await asyncpg.create_pool(**where, min_size=2, max_size=2) for _ in range(2)]
    dbtop_pages.watch(pools[1])

    async def by_context(pool):
        async with pool.acquire():
            pass

    await compare_async("asyncpg, acquire()", pools, by_context, 20, True)
    for pool in pools:
        await pool.close()


async def of_async_psycopg():
    pools = [psycopg_pool.AsyncConnectionPool(conninfo, min_size=2, max_size=2, open=False) for _ in range(2)]
    for pool in pools:
        await pool.open(wait=True)
    dbtop_pages.watch(pools[1])

    async def by_context(pool):
        async with pool.connection():
            pass

    await compare_async("psycopg_pool, asynchronous", pools, by_context, 200, True)
    for pool in pools:
        await pool.close()


of_psycopg()
asyncio.run(of_async_psycopg())
asyncio.run(of_asyncpg())
of_sqlalchemy()
of_psycopg2()
sys.exit(any(judged and ratio > 2 for _, ratio, judged in results))
