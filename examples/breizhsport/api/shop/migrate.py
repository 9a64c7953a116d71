"""Brings the tables up to date: runs each file of migrations/ once, in the order of their names.

One at a time on a database, each file in a transaction of its own with the note that it was run. Run again, does nothing.
"""

import logging
import logging.config
import pathlib

from sqlalchemy import text

from . import log
from .database import connect, make_engine

FILES = pathlib.Path(__file__).parent / "migrations"
LOCK = 7_291_514  # any number, the same for all who migrate this database


def main():
    logging.config.dictConfig(log.configuration())
    engine = make_engine(threads=1)
    with connect(engine) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.execute(text(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, run_at timestamptz NOT NULL DEFAULT now())"))
        known = {row.name for row in connection.execute(text("SELECT name FROM migrations"))}
        for file in sorted(FILES.glob("*.sql")):
            if file.name in known:
                continue
            connection.exec_driver_sql("BEGIN")
            try:
                connection.exec_driver_sql(file.read_text(encoding="utf-8").replace("%", "%%"))
                connection.execute(text("INSERT INTO migrations (name) VALUES (:name)"), {"name": file.name})
                connection.exec_driver_sql("COMMIT")
            except Exception:
                connection.exec_driver_sql("ROLLBACK")
                raise
            logging.info("migrated %s", file.name)
        logging.info("the tables are up to date")


if __name__ == "__main__":
    main()
