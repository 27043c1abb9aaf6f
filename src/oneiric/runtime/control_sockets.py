"""
Where the control sockets of running applications are, and who may use them: the same user on the same machine.

A socket is named after the application and the process, so that two processes of one application do not meet.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from oneiric.core.errors import ControlUnavailable

SUFFIX = ".sock"
MOST_NAME = 40  # characters of the application's name, so that the path stays within what a socket may have
_UCRED = struct.Struct("3i")  # pid, uid, gid. Source: unix(7), SO_PEERCRED


def folder_of(environ: Mapping[str, str]) -> Path:
    """Return the folder of the sockets: below XDG_RUNTIME_DIR, else one of the user's own among temporary files."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    return Path(runtime, "oneiric") if runtime else Path(tempfile.gettempdir(), f"oneiric-{os.geteuid()}")


def own_folder(folder: Path) -> Path:
    """
    Make the folder, or take it as it is, if it belongs to this user; nobody else may look into it.

    Raises:
        ControlUnavailable: It cannot be made, or belongs to somebody else.
    """
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        check_folder(folder)
        folder.chmod(0o700)
    except OSError as error:
        raise ControlUnavailable(str(folder), error.strerror or type(error).__name__) from None
    return folder


def check_folder(folder: Path) -> None:
    """Raise ControlUnavailable if a folder is not this user's own: whoever has it could answer in our name."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ControlUnavailable(str(folder), "it is no folder of this user")


def socket_path(folder: Path, name: str, process: int) -> Path:
    """Return the path of one process's socket."""
    return folder / f"{_slug(name)}-{process}{SUFFIX}"


def listen(folder: Path, name: str) -> tuple[socket.socket, Path]:
    """
    Listen for commands of this user; sockets that processes have left behind are removed.

    Raises:
        ControlUnavailable: The socket cannot be made.
    """
    own_folder(folder)
    path = socket_path(folder, name, os.getpid())
    for left in folder.glob(f"*{SUFFIX}"):
        if not is_alive(left):
            left.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ControlUnavailable(str(path), error.strerror or str(error)) from None
    return listener, path


def is_alive(path: Path) -> bool:
    """Tell whether a process listens there."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(str(path))
        except TimeoutError:
            return True  # its queue is full: it lives, and is busy
        except OSError:
            return False
    return True


def running(folder: Path, name: str | None = None) -> Iterator[tuple[int, Path]]:
    """
    Yield the processes of an application that listen, with their sockets, by process number.

    Args:
        folder: Where the sockets are.
        name: The application's name; any by default.
    """
    if not folder.is_dir():
        return
    check_folder(folder)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        slug, _, process = path.stem.rpartition("-")
        if process.isdecimal() and (name is None or slug == _slug(name)) and is_alive(path):
            yield int(process), path


def user_of(connected: socket.socket) -> int:
    """Return the number of the user at the other end. Source: unix(7), SO_PEERCRED."""
    _, user, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(user)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]", "_", name)[:MOST_NAME]
