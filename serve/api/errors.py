"""Errors of serving that a person can act on."""

from __future__ import annotations

from stream.errors import RiverrunError


class CannotListenError(RiverrunError):
    """Raised by ``listen``: an address of the configuration cannot be listened on."""

    exit_code = 3

    def __init__(
        self, host: str, port: int, reason: str, keys: str = "api.host and api.port"
    ) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}; correct {keys} in the configuration"
        )


class PortInUseError(CannotListenError):
    """Another program listens on the port already."""

    def __init__(self, host: str, port: int, keys: str = "api.host and api.port") -> None:
        super().__init__(
            host,
            port,
            f"another program uses the port (find it with 'ss -ltnp sport = :{port}'). Stop that "
            "one, or choose another port; 0 takes a free one",
            keys,
        )


class AnswersFileError(RiverrunError):
    """Raised by ``run_api``: ``api.remembered_file`` cannot be used."""

    exit_code = 3

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"api.remembered_file = {path!r} cannot be used: {reason}; delete it if it is a "
            "damaged one of riverrun's, or name another file in a folder that can be written"
        )
