"""People's bytes for a terminal: nothing in them is carried out, and a screen bounds them."""

from __future__ import annotations

import base64

import msgspec

from serve.cli.printable import printable

_LONGEST_TEXT, _LONGEST_DUMP = 64 * 1024, 4 * 1024
_MOST_INDENTED = 1024 * 1024


def bytes_view(data: bytes) -> str:
    r"""Return bytes as indented JSON, as text with escapes, or as a dump in hexadecimal.

    Parameters
    ----------
    data
        Untrusted. What is too much for a screen is cut, and the text says so.

    Examples
    --------
    >>> print(bytes_view(b'{"a": [1, "x"]}'))
    {
      "a": [
        1,
        "x"
      ]
    }
    >>> print(bytes_view(b"plain, cut {"))
    plain, cut {
    >>> print(bytes_view(b"\x00\xff["))
    00000000  00 ff 5b                                         |..[|
    """
    try:
        text = _indented(data).decode()
    except UnicodeDecodeError:
        return _dump(data)
    lines = text[:_LONGEST_TEXT].split("\n")
    shown = "\n".join(printable(line, _LONGEST_TEXT * 12) for line in lines)
    return shown + _rest(len(text) - _LONGEST_TEXT, "characters")


def bytes_data(data: bytes | None) -> dict[str, str] | None:
    r"""Return bytes as JSON can hold them: as text where they are UTF-8, else in base64.

    Examples
    --------
    >>> bytes_data(b"a"), bytes_data(b"\xff"), bytes_data(None)
    ({'text': 'a'}, {'base64': '/w=='}, None)
    """
    if data is None:
        return None
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _indented(data: bytes) -> bytes:
    """Return JSON on lines; other bytes as they are, and JSON whose indents would be megabytes."""
    deepest = data.count(b"[") + data.count(b"{")
    if 2 * deepest * (deepest + data.count(b",")) > _MOST_INDENTED:
        return data
    try:
        return msgspec.json.format(data, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return data


def _dump(data: bytes) -> str:
    lines = []
    for start in range(0, min(len(data), _LONGEST_DUMP), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<47}  |{text}|")
    return "\n".join(lines) + _rest(len(data) - _LONGEST_DUMP, "bytes")


def _rest(count: int, noun: str) -> str:
    return f"\n... and {count:,} more {noun}; --raw writes all" if count > 0 else ""
