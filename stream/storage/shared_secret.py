"""A secret that all processes on one store share, made when somebody first asks for it."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from stream.storage.database import reading, writing
from stream.storage.tables import about

_KEY = "session_secret"


def shared_secret(engine: Engine) -> bytes:
    """Return the store's secret of 256 bits.

    Raises
    ------
    StoreUnreachableError
    """
    query = select(about.c.value).where(about.c.key == _KEY)
    with reading(engine) as connection:
        found = connection.execute(query).scalar_one_or_none()
    if found is None:
        made = secrets.token_hex(32)
        with writing(engine) as connection:
            try:
                with connection.begin_nested():
                    connection.execute(insert(about).values(key=_KEY, value=made))
            except IntegrityError:  # another process was first
                pass
            found = connection.execute(query).scalar_one()
    return bytes.fromhex(found)
