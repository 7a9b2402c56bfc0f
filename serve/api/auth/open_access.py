"""From a configuration to who may use the API; and the refusal to be open to a network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from serve.api.auth.access import Access
from serve.api.auth.key_watch import KeyWatch
from serve.api.auth.keys import StoredKey, hash_of
from serve.api.auth.limits import Limit, Times
from serve.api.auth.oidc import Oidc
from serve.api.auth.roles import role_named
from serve.api.auth.session import Sessions
from serve.api.workers.share import Share
from serve.api.workers.shared_times import SharedTimes
from stream.config import Config
from stream.errors import ConfigError, Problem, RiverrunError

_SHORTEST = 32
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class OpenToNetworkError(RiverrunError):
    """Raised before listening: without keys only this machine may reach the API."""

    exit_code = 2

    def __init__(self, host: str) -> None:
        super().__init__(
            f"api.host = {host!r} can be reached from other machines, and there are no keys: "
            "whoever reaches it could promote models and read every event. Set api.keys_file and "
            "make a key with 'riverrun keys add NAME --role operator', or set "
            "RIVERRUN_API_OPERATOR_KEY, or [oidc]; or listen on 127.0.0.1"
        )


def open_access(
    config: Config,
    fixed: Mapping[str, str],
    session_secret: bytes,
    share: Share | None = None,
) -> Access:
    """Return who may use the API of a configuration.

    Parameters
    ----------
    config
        The stream's.
    fixed
        Keys of the environment, by role.
    session_secret
        Shared by all API processes of the stream.
    share
        Of the processes of this machine, whose limits are then one; None for this one alone.

    Raises
    ------
    ConfigError, KeyFileError
    """
    api, oidc = config.api, config.oidc
    keys = None
    if api.keys_file is not None or fixed:
        path = None if api.keys_file is None else Path(api.keys_file)
        keys = KeyWatch(path, fixed_keys(fixed))
    tokens = None if oidc.issuer is None else Oidc(oidc)
    sessions = None
    if keys is not None or tokens is not None:
        issuer = f"{oidc.issuer} {oidc.audience}"
        sessions = Sessions(session_secret, api.session / 1000, issuer)
    rate = Limit(api.rate, api.at_once, _times(share, "rate")) if api.rate else None
    failures = Limit(api.failures / 60, api.failures, _times(share, "failures"))
    return Access(api, keys, tokens, sessions, rate, failures)


def _times(share: Share | None, name: str) -> Times | None:
    return None if share is None else SharedTimes(share.limits(name))


def fixed_keys(fixed: Mapping[str, str]) -> list[StoredKey]:
    """Return the keys that the environment gives, by role.

    Raises
    ------
    ConfigError
        Where one is so short that it could be guessed.
    """
    found, problems = [], []
    for name, key in fixed.items():
        role = role_named(name)
        if role is None:
            raise ValueError(f"{name!r} is no role")
        if len(key) < _SHORTEST or not (key.isascii() and key.isprintable()) or " " in key:
            variable = f"RIVERRUN_API_{name.upper()}_KEY"
            allowed = f"at least {_SHORTEST} random characters, such as of 'openssl rand -hex 32'"
            problems.append(Problem(variable, f"{len(key)} characters", allowed))
        found.append(StoredKey(f"environment-{name}", name, role, hash_of(key), _ALWAYS))
    if problems:
        raise ConfigError("environment", problems)
    return found


def refuse_open_network(config: Config, fixed: Mapping[str, str]) -> None:
    """Make sure that an API without keys can be reached from this machine alone.

    Raises
    ------
    OpenToNetworkError
    """
    if config.api.keys_file is not None or fixed or config.oidc.issuer is not None:
        return
    if not is_loopback(config.api.host):
        raise OpenToNetworkError(config.api.host)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine to itself alone; a name that is not known is not.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("")
    (True, True, False, False)
    """
    try:
        found = socket.getaddrinfo(host or None, 0, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(one[4][0])).is_loopback for one in found)
