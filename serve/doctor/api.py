"""The API: who may use it, keys that end, and what a running one says of itself."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from serve.cli.checks_access import access_summary
from serve.compose import Secrets
from serve.doctor.diagnosis import Chart
from stream.config import Config
from stream.egress import Outside

_SOON_SECONDS = 7 * 86_400.0
_TIMEOUT_SECONDS = 5.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 (not ours)


def look_at_api(chart: Chart, config: Config, secrets: Secrets) -> None:
    """Look at who may use the API, and ask one on this machine how it is."""
    advice = "docs/security.md says how to give out keys, and what they protect"
    with chart.looking_at("access", advice):
        chart.ok("access", access_summary(config, secrets))
        if config.api.keys_file is not None:
            _keys(chart, Path(config.api.keys_file))
    _ready(chart, config)


def _keys(chart: Chart, path: Path) -> None:
    from serve.api.auth.key_file import read_keys

    now, keys = time.time(), read_keys(path)
    if not [key for key in keys if not key.is_expired(now)]:
        chart.wrong(
            "keys",
            f"{path} holds {len(keys)} keys, and none that counts: nobody is let in",
            "riverrun keys add NAME --role operator",
        )
    for key in keys:
        if not key.is_expired(now) and key.is_expired(now + _SOON_SECONDS):
            chart.warning(
                "keys",
                f"the key {key.name!r} ends within a week",
                f"riverrun keys rotate {key.name}",
            )


def _ready(chart: Chart, config: Config) -> None:
    api = config.api
    if api.port == 0:
        chart.skipped("api", "api.port is 0: it listens on a port of its own choice")
        return
    host = _ANYWHERE.get(api.host, f"[{api.host}]" if ":" in api.host else api.host)
    scheme = "http" if api.tls_cert is None else "https"
    url = f"{scheme}://{host}:{api.port}/readyz"
    try:
        # Its certificate is of another name than this machine's; nothing secret is sent.
        options = {} if api.tls_cert is None else {"cert_reqs": "CERT_NONE"}
        with Outside(**options) as outside:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            answer = outside.request(
                "GET", url, timeout=_TIMEOUT_SECONDS, retries=False, redirect=False
            )
    except HTTPError:
        chart.warning(
            "api", f"nobody answers at {url}", "start it with 'riverrun api', if one is due"
        )
        return
    if answer.status == 200:
        chart.ok("api", f"{url}: ready")
        return
    chart.wrong("api", f"{url} answers {answer.status}: {_said(answer.data)}", "mend what it names")


def _said(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=dict[str, object]).get("detail", ""))[:500]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "something else listens there"
