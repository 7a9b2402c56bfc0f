"""Text that people and producers bring: PostgreSQL refuses one character of it."""

from __future__ import annotations

from sqlalchemy import Dialect, String, Text, TypeDecorator

NUL, SHOWN = "\x00", "\u2400"
"""The character that PostgreSQL's text cannot hold, and what stands for it there: its symbol."""


def storable(text: str) -> str:
    r"""Return a text as every database can hold it.

    Examples
    --------
    >>> ascii(storable("a\x00b"))
    "'a\\u2400b'"
    """
    return text.replace(NUL, SHOWN)


class AnyText(TypeDecorator[str]):
    """Text of any characters, the same on each database."""

    impl: type[String] = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is stored, and what is looked for."""
        return None if value is None else storable(value)


class AnyString(AnyText):
    """The same with a largest length."""

    impl = String
    cache_ok = True
