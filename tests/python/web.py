"""A web application for gunicorn: each worker has a pool, made before they were forked (--preload). GET / checks out a
connection, and answers with the worker's pid; GET /forget keeps it."""
import os

import dbtop_pages
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

WORDS = dict(word.split("=", 1) for word in os.environ["CONNINFO"].split())
engine = create_engine(URL.create("postgresql+psycopg2", username=WORDS["user"], host=WORDS["host"],
                                  port=int(WORDS["port"]), database=WORDS["dbname"]), pool_size=2, max_overflow=0)
dbtop_pages.watch(engine, "web", 2)
forgotten = []


def application(environ, start_response):
    forgets = environ["PATH_INFO"] == "/forget"
    connection = engine.connect()  # the line to be told
    connection.exec_driver_sql("SELECT 1")
    connection.connection.commit()
    forgotten.append(connection) if forgets else connection.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
