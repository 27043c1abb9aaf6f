"""Where the server listens: the address is decided, then bound, before anything else is opened."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from oneiric.core.errors import InvalidPort, InvalidValue, PortInUse
from oneiric.core.origins import EnvOrigin, FlagOrigin, Origin
from oneiric.web.settings import MAX_PORT, WebSettings

DEFAULT_PORT = 8080
PUBLIC_HOST = "0.0.0.0"
LOOPBACK_HOST = "127.0.0.1"
BACKLOG = 2048


class Address(NamedTuple):
    """A host, and a port from 0 to 65535; 0 stands for any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach it: 127.0.0.0/8, ::1 or localhost."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def find_address(
    settings: WebSettings, *, is_public: bool, flag: str | int | None, environ: Mapping[str, str]
) -> Address:
    """
    Decide where to listen.

    Args:
        settings: Section `web`.
        is_public: The profile listens on every address where `web.host` says nothing.
        flag: What `--port` says; it stands above `web.port`, that above `PORT`, and that above 8080.
        environ: The environment, for `PORT`.

    Raises:
        InvalidPort: `--port` or `PORT` is no number from 0 to 65535.
    """
    host = settings.host or (PUBLIC_HOST if is_public else LOOPBACK_HOST)
    if flag is not None:
        return Address(host, _port(str(flag), FlagOrigin("--port")))
    if settings.port is not None:
        return Address(host, settings.port)
    if text := environ.get("PORT"):
        return Address(host, _port(text, EnvOrigin("PORT")))
    return Address(host, DEFAULT_PORT)


def listen(address: Address) -> socket.socket:
    """
    Bind an address and listen on it; connections wait until somebody accepts them.

    Raises:
        PortInUse: Another process listens there, or it may not be bound.
        InvalidValue: The host is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        # With SO_REUSEADDR two processes may bind one port; only the second `listen` fails.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise InvalidValue("web.host", f'"{address.host}" is no address of this machine') from None
        raise PortInUse(address.host, address.port, os.strerror(error.errno or 0).lower()) from None
    return listener


def _port(text: str, origin: Origin) -> int:
    # isdecimal alone would let the digits of other scripts through
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MAX_PORT)) or int(text) > MAX_PORT:
        raise InvalidPort(text, origin=origin)
    return int(text)
