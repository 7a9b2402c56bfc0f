"""Whether the process that wrote something into a shared file still lives."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path


class Lease:
    """A name that is held for as long as its process lives, and not a moment longer.

    It is a file with a random name that its process keeps locked (``flock``). The operating
    system releases the lock when the process ends, however it ends, and on every system that
    has one. Numbers of processes would not do: they are given out again, after a restart of
    a container sooner than one looks.

    Parameters
    ----------
    folder
        Of the leases of all processes; made where it is missing.

    Raises
    ------
    OSError
        When the folder cannot be written, or its file system has no locks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one, two = Lease(Path(folder)), Lease(Path(folder))
    ...     before = two.is_held(one.name)
    ...     one.release()
    ...     before, two.is_held(one.name)
    (True, False)
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        for path in folder.iterdir():
            if not self.is_held(path.name.encode()):  # its process was killed
                path.unlink(missing_ok=True)
        while (held := _hold(folder)) is None:
            pass
        self.name, self._file = held

    def is_held(self, name: bytes) -> bool:
        """Return whether a lease's process lives. One that nobody ever had is not held.

        Raises
        ------
        OSError
            When that cannot be found out, as without a free file handle.
        """
        try:
            file = os.open(self._folder / os.fsdecode(name), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that who looks is not taken for who holds it.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def release(self) -> None:
        """Give the name up. May be repeated."""
        if self._file >= 0:
            with suppress(OSError):  # the folder may be gone
                (self._folder / self.name.decode()).unlink()
            os.close(self._file)
            self._file = -1


def _hold(folder: Path) -> tuple[bytes, int] | None:
    """Make a lease; None where somebody took it for a dead one before it was locked."""
    name = secrets.token_hex(16)
    path = folder / name
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):
            return name.encode(), file
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    path.unlink(missing_ok=True)
    return None
