"""Several hosts on this machine: network namespaces, each on a cable of its own to one bridge."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMESPACES = Path("/run/netns")
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of Linux."""


class HostsMissingError(Exception):
    """A program that makes hosts is not installed."""


class HostsRefusedError(Exception):
    """This machine does not let its user make hosts."""


class Hosts:
    """Hosts that reach this machine, and each other, over a bridge that leads nowhere else.

    Parameters
    ----------
    count
        Of hosts.

    Attributes
    ----------
    address
        Of this machine on the bridge, from 198.18.0.0/15, which is for tests (RFC 2544).
    names
        Of the hosts; ``enter`` takes one.

    Raises
    ------
    HostsMissingError, HostsRefusedError
    """

    def __init__(self, count: int) -> None:
        for program in ("ip", "tc"):
            if shutil.which(program) is None:
                raise HostsMissingError(f"{program}; on Debian: apt-get install iproute2")
        _sweep()
        mine = f"rr{os.getpid()}"
        network = f"198.18.{os.getpid() % 256}"
        self.address = f"{network}.1"
        self.names = [f"{mine}h{number}" for number in range(count)]
        self._bridge = f"{mine}b"
        self._cables = [f"{mine}c{number}" for number in range(count)]
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self.address}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for number, (name, cable) in enumerate(zip(self.names, self._cables, strict=True)):
                _ip("netns", "add", name)
                _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
                _ip("link", "set", cable, "master", self._bridge, "up")
                _ip("-n", name, "addr", "add", f"{network}.{number + 10}/24", "dev", "eth0")
                _ip("-n", name, "link", "set", "eth0", "up")
                _ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            self.remove()
            raise HostsRefusedError(error.stderr.strip()) from error

    def remove(self) -> None:
        """Take everything down that is there. Processes in a host lose their network."""
        _remove(os.getpid())

    @contextmanager
    def unplugged(self, number: int) -> Iterator[None]:
        """Pull a host's cable within the block: its link has no carrier."""
        _ip("link", "set", self._cables[number], "down")
        try:
            yield
        finally:
            _ip("link", "set", self._cables[number], "up")

    @contextmanager
    def unheard(self, number: int) -> Iterator[None]:
        """Lose all that a host sends within the block; it hears the others, and has its link."""
        with _losing("-n", self.names[number], device="eth0"):
            yield

    @contextmanager
    def deaf(self, number: int) -> Iterator[None]:
        """Lose all that is sent to a host within the block; the others hear it."""
        with _losing(device=self._cables[number]):
            yield


def enter(host: str) -> None:
    """Let this thread, and those that it starts, be in a host; for a process with one thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (_NAMESPACES / host).open() as namespace:
        if libc.setns(namespace.fileno(), _NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {host}")


@contextmanager
def _losing(*where: str, device: str) -> Iterator[None]:
    """Lose all that leaves a device: no packet fits into a bucket of one byte."""
    rule = ("dev", device, "root")
    _run(
        "tc", *where, "qdisc", "add", *rule, "tbf", "rate", "1kbit", "burst", "1", "latency", "1ms"
    )
    try:
        yield
        (told,) = json.loads(_run("tc", *where, "-s", "-j", "qdisc", "show", "dev", device))
        assert told["drops"] > 0, f"nothing was lost at {device}"
        assert told["packets"] == 0, f"something has left {device}"
    finally:
        _run("tc", *where, "qdisc", "del", *rule)


def _sweep() -> None:
    """Remove what tests that were killed left behind."""
    for link in json.loads(_ip("-j", "link", "show", "type", "bridge")):
        found = re.fullmatch(r"rr(\d+)b", link.get("ifname", ""))
        if found and not Path("/proc", found[1]).exists():
            _remove(int(found[1]))


def _remove(pid: int) -> None:
    links: list[dict[str, Any]] = json.loads(_ip("-j", "link", "show"))
    for link in links:
        if re.fullmatch(rf"rr{pid}[bc]\d*", link["ifname"]):
            _ip("link", "del", link["ifname"])
    for path in _NAMESPACES.glob(f"rr{pid}h*"):
        _ip("netns", "del", path.name)


def _ip(*arguments: str) -> str:
    return _run("ip", *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout or "[]"
