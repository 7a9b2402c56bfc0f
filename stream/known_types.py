"""What msgspec knows of our types, made before there are threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec


def know_types() -> None:
    """Let msgspec look at every ``Struct`` that is imported, and at what they hold.

    It looks at a type when it decodes one for the first time (msgspec 0.22), and a second thread
    that does so at the same moment finds it half known and ends the process. Call it before threads
    begin that decode.
    """
    for kind in _structs(msgspec.Struct):
        with suppress(TypeError, NameError):  # of other libraries, and not to be decoded
            msgspec.msgpack.Decoder(kind)


def _structs(kind: type[object]) -> Iterator[type[object]]:
    one: type[object]
    for one in kind.__subclasses__():
        yield one
        yield from _structs(one)
