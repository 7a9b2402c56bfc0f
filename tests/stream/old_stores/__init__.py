"""Stores as older riverruns made them, by their own statements, with data of today in them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, Table, column, inspect, select
from sqlalchemy import table as lightweight

from stream.storage.connect import connect
from stream.storage.database import open_database
from stream.storage.tables import about, metadata

OLD = ["1", "2-first", "2", "3-first", "3", "4"]
"""Versions that were handed out; 2 and 3 grew, so of these there are two."""


def make_old_store(old: str, url: str, like: str) -> None:
    """Make an empty database into an old store, with what another store holds of its tables.

    Parameters
    ----------
    old
        Its version.
    url
        Of the empty database.
    like
        URL of a store of today.
    """
    engine = connect(url)
    script = Path(__file__).with_name(f"{old}.{engine.dialect.name}.sql").read_text()
    with engine.begin() as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    source = open_database(like)
    for table in metadata.sorted_tables:
        if table is not about and inspect(engine).has_table(table.name):
            copy(source, engine, table)
    source.dispose()
    engine.dispose()


def copy(source: Engine, target: Engine, table: Table) -> None:
    """Copy the columns that both have."""
    names = {found["name"] for found in inspect(target).get_columns(table.name)}
    wanted = [one for one in table.c if one.name in names]
    with source.connect() as connection:
        rows = [row._asdict() for row in connection.execute(select(*wanted))]
    if rows:
        narrow = lightweight(table.name, *(column(one.name, one.type) for one in wanted))
        with target.begin() as connection:
            connection.execute(narrow.insert(), [{k: row[k] for k in names} for row in rows])


def rows(engine: Engine, table: str) -> list[tuple]:
    """Return a table's rows as they are, whatever columns it has now."""
    columns = [column["name"] for column in inspect(engine).get_columns(table)]
    known = metadata.tables[table].c
    wanted = [known[name] for name in sorted(columns)]
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(select(*wanted))]
    return sorted(found, key=repr)
