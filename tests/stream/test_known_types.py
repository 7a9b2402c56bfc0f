"""Types that msgspec knows before there are threads: it would not bear two that look at once."""

from __future__ import annotations

import msgspec
import msgspec._utils

from stream.known_types import know_types


class Inner(msgspec.Struct):
    """Something that is held."""

    number: int


class Outer(msgspec.Struct):
    """Something that holds it."""

    held: list[Inner]


class Odd(msgspec.Struct):
    """What msgspec cannot decode: two kinds of objects that it could not tell apart."""

    either: Inner | Outer


def test_nothing_is_looked_at_for_the_first_time_when_it_is_decoded(monkeypatch):
    know_types()
    looked: list[type] = []
    look = msgspec._utils._get_class_annotations

    def watched(kind: type) -> object:
        looked.append(kind)
        return look(kind)

    monkeypatch.setattr(msgspec._utils, "_get_class_annotations", watched)
    data = b'{"held": [{"number": 3}]}'
    assert msgspec.json.decode(data, type=Outer) == Outer([Inner(3)])
    assert looked == []

    class Later(msgspec.Struct):
        number: int

    msgspec.json.decode(b'{"number": 3}', type=Later)
    assert Later in looked
