"""What ``check`` finds about who may use the API."""

from __future__ import annotations

import time
from pathlib import Path

from serve.compose import Secrets
from stream.config import Config


def access_summary(config: Config, secrets: Secrets) -> str:
    """Say who may use the API, and what HTTPS is served with.

    Raises
    ------
    OpenToNetworkError
        Where everybody on the network might.
    ConfigError, KeyFileError
        Where keys or certificate cannot be used.
    """
    from serve.api.auth.key_file import read_keys
    from serve.api.auth.open_access import fixed_keys, refuse_open_network
    from serve.api.auth.tls import tls_context

    refuse_open_network(config, secrets.api_keys)
    keys = fixed_keys(secrets.api_keys)
    if config.api.keys_file is not None:
        keys += read_keys(Path(config.api.keys_file))
    parts = []
    if config.api.keys_file is not None or keys:
        good = sum(not key.is_expired(time.time()) for key in keys)
        parts.append(f"{good} {'key' if good == 1 else 'keys'}")
    if config.oidc.issuer is not None:
        parts.append(f"tokens of {config.oidc.issuer}")
    who = ", ".join(parts) or f"no keys: open to whoever is on this machine ({config.api.host})"
    return f"{who}; {'HTTP' if tls_context(config.api) is None else 'HTTPS'}"
