"""Creating what is not there yet.

Versions 2 and 3 grew while they were made, so that a store which says 2 or 3 may lack some of what
belongs to it. Each migration therefore looks before it creates.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, inspect
from sqlalchemy.schema import SchemaItem


def create_table(name: str, *items: SchemaItem) -> None:
    """Create a table, unless it is there."""
    if not inspect(op.get_bind()).has_table(name):
        op.create_table(name, *items)


def add_column(table: str, column: Column[object]) -> None:
    """Add a column, unless it is there."""
    names = {found["name"] for found in inspect(op.get_bind()).get_columns(table)}
    if column.name not in names:
        op.add_column(table, column)
