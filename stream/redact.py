"""Texts without the secrets that URLs may hold: for messages, results, pages and logs."""

from __future__ import annotations

import re

HIDDEN = "•••"

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY_SECRET = re.compile(r"(?i)([?&][^=&#\s]*(?:password|secret|token|key)[^=&#\s]*=)[^&#\s]*")
_PATH = re.compile(r"(?<=://)([^/?#\s]+)[/?#]\S*")


def without_secrets(text: str) -> str:
    """Return a text without what stands before the host of URLs in it, or names itself a secret.

    Examples
    --------
    >>> without_secrets("postgresql://me:pass@db/x?sslpassword=1&application_name=y")
    'postgresql://•••@db/x?sslpassword=•••&application_name=y'
    """
    return _QUERY_SECRET.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))


def without_paths(text: str) -> str:
    """Return a text whose URLs end behind their host: as of chat programs, whose path is a secret.

    Examples
    --------
    >>> without_paths("posting to https://hooks.example/T0/B0 failed")
    'posting to https://hooks.example/••• failed'
    """
    return _PATH.sub(rf"\g<1>/{HIDDEN}", without_secrets(text))
