"""What Alembic runs: the migrations, in the transaction of whoever asked for them."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import update

from stream.storage.tables import about, metadata


def _note(*_: Any, **step: Any) -> None:
    """Write the version where every riverrun looks, older ones too."""
    (revision,) = step["heads"]
    version = str(int(revision))
    connection = context.get_bind()
    connection.execute(update(about).where(about.c.key == "schema").values(value=version))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    on_version_apply=_note,
)
context.run_migrations()
