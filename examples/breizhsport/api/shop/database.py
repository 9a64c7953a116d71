"""The connection to PostgreSQL, and transactions that outlast a short absence of it."""

import contextlib
import os
import time

import sqlalchemy
from sqlalchemy.exc import OperationalError

# How long a request waits for a database that is away, such as while it restarts, before it gives up.
PATIENCE = 10  # seconds


class DatabaseAway(Exception):
    """The database can't be reached, or went away in the middle."""


def url():
    with open(os.environ["DB_PASSWORD_FILE"], encoding="utf-8") as file:
        password = file.read().strip()
    return sqlalchemy.engine.URL.create(
        "postgresql+psycopg2", username=os.environ["DB_USER"], password=password, host=os.environ["DB_HOST"],
        database=os.environ["DB_NAME"])


def make_engine(threads=8):
    return sqlalchemy.create_engine(
        url(), pool_size=threads, max_overflow=0, pool_timeout=PATIENCE, pool_pre_ping=True,
        connect_args={
            "connect_timeout": 2, "options": "-c statement_timeout=5000 -c lock_timeout=3000",
            # A connection that nobody answers any more is given up after this long, in milliseconds.
            "tcp_user_timeout": 8000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2,
        })


def connect(engine):
    """A connection; waits for a database that is away. Throws DatabaseAway."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise DatabaseAway(str(error.orig).strip()) from error
            time.sleep(0.2)


@contextlib.contextmanager
def transaction(engine):
    """A connection in a transaction: committed at the end, rolled back by an exception. Throws DatabaseAway."""
    connection = connect(engine)
    try:
        with connection.begin():
            yield connection
    except OperationalError as error:
        raise DatabaseAway(str(error.orig).strip()) from error
    finally:
        connection.close()
