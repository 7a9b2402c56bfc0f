"""What tests of several folders already have: streams, a listener, commands in other processes."""

from tests.cli.conftest import environment, here, invoke, riverrun, spawn, wait_for
from tests.notify.conftest import listener
from tests.serve.conftest import make_world, wait, world

__all__ = [
    "environment",
    "here",
    "invoke",
    "listener",
    "make_world",
    "riverrun",
    "spawn",
    "wait",
    "wait_for",
    "world",
]
