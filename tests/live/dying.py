"""One application with a fault in its shutdown, on psycopg2: dying.py CONNINFO BEHAVIOUR

It opens two connections, works on them, and does on SIGINT what the behaviour says. By then, at any
moment from the first connection on, it is ready for that."""
import os
import signal
import subprocess
import sys
import threading
import time

import psycopg2

CONNINFO, BEHAVIOUR = sys.argv[1:]
CONNS = []


def connect():
    conn = psycopg2.connect(CONNINFO)
    conn.autocommit = True
    CONNS.append(conn)
    return conn


def run(conn, sql):
    with conn.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def work():
    while True:
        while len(CONNS) < 2:
            connect()
        for conn in CONNS:
            run(conn, "SELECT 1")
        time.sleep(0.005)


def close():
    for conn in CONNS:
        conn.close()


def closed():
    try:
        work()
    except KeyboardInterrupt:
        close()


def left_sessions():
    report = psycopg2.connect(CONNINFO)
    report.autocommit = True
    query = threading.Thread(target=run, args=(report, "SELECT pg_sleep(600)"), daemon=True)
    query.start()
    try:
        connect()
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        other = CONNS[0] if CONNS else connect()
        running = "SELECT 1 FROM pg_stat_activity WHERE pid = %d AND state = 'active'"
        while not run(other, running % report.info.backend_pid):
            time.sleep(0.002)
        other.close()
        os._exit(0)


def child():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    kept = psycopg2.connect(CONNINFO)
    connect()
    if os.fork() == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(600)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        close()
        os._exit(kept.closed)


def child_idle():
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(600)
    signal.signal(signal.SIGINT, handler)
    closed()
    # it is to end in time: on a busy machine the interpreter needs seconds to end by itself
    os._exit(0)


def lost_writes():
    # its worker is a program of libdbpool's, which gets the terminal's signal, too
    worker = subprocess.Popen([os.environ["DYING_POOL"], CONNINFO, "flush-late"])
    while True:
        try:
            worker.wait()
            return
        except KeyboardInterrupt:
            pass


def never_exited():
    # a thread that is no daemon: the interpreter waits for it, for ever
    threading.Thread(target=time.sleep, args=(600,)).start()
    closed()


def ignored():
    while True:
        try:
            work()
        except KeyboardInterrupt:
            pass


def reconnected():
    try:
        work()
    except KeyboardInterrupt:
        CONNS.pop().close()
        run(connect(), "SELECT 1")
        close()


def raised():
    # the interpreter closes what is open, and dies by the signal
    work()


def died():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    work()


def lost_write():
    try:
        conn = connect()
        run(conn, "CREATE TEMPORARY TABLE outbox (id int)")
        run(conn, "BEGIN")
        run(conn, "INSERT INTO outbox VALUES (1)")
        connect()
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        os._exit(0)


BEHAVIOURS = {
    "closed": closed,
    "left-sessions": left_sessions,
    "child": child,
    "child-idle": child_idle,
    "lost-writes": lost_writes,
    "never-exited": never_exited,
    "ignored": ignored,
    "reconnected": reconnected,
    "raised": raised,
    "died": died,
    "lost-write": lost_write,
}

if __name__ == "__main__":
    BEHAVIOURS[BEHAVIOUR]()
