"""What a store holds, table by table: copied, counted and digested on any database."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Engine, MetaData, Row, Table, insert, inspect, select

from stream.storage.any_text import storable
from stream.storage.tables import metadata

_ROWS = 50
"""Rows on their way at a time; a part of a checkpoint may have many megabytes."""


class Content(NamedTuple):
    """How many rows a table has, and a digest that does not depend on their order."""

    rows: int
    digest: str


def tables_in(there: Engine | Connection) -> list[Table]:
    """Return the tables that a store has, with the columns that it has of them.

    They are fewer than the code knows where a store is of an older version.
    """
    look = inspect(there)
    found = []
    for known in metadata.sorted_tables:
        if look.has_table(known.name):
            names = {column["name"] for column in look.get_columns(known.name)}
            columns = [
                Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable)
                for c in known.c
                if c.name in names
            ]
            found.append(Table(known.name, MetaData(), *columns))
    return found


def content_of(connection: Connection, table: Table) -> Content:
    """Return how many rows a table has, and their digest."""
    rows, total = 0, 0
    for page in _pages(connection, table):
        rows += len(page)
        total += sum(_row_digest(row) for row in page)
    return Content(rows, f"{total % 2**256:064x}")


def copy_rows(source: Connection, target: Connection, table: Table) -> Content:
    """Copy a table's rows into another database; return what was copied."""
    rows, total = 0, 0
    for page in _pages(source, table):
        target.execute(insert(table), [row._asdict() for row in page])
        rows += len(page)
        total += sum(_row_digest(row) for row in page)
    return Content(rows, f"{total % 2**256:064x}")


def _pages(connection: Connection, table: Table) -> Any:
    options = {"yield_per": _ROWS}
    with connection.execute(select(*table.c), execution_options=options) as result:
        yield from result.partitions()


def _row_digest(row: Row[Any]) -> int:
    digest = sha256()
    for value in row:
        is_blob = isinstance(value, bytes | memoryview)
        told = storable(value) if isinstance(value, str) else value
        part = bytes(value) if is_blob else json.dumps(told, sort_keys=True).encode()
        digest.update(b"%d:%d:" % (is_blob, len(part)))
        digest.update(part)
    return int.from_bytes(digest.digest(), "big")
