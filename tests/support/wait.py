"""Waiting for what happens outside this process; the only place of the tests that sleeps."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

POLL_S = 0.02


def wait_until(predicate: Callable[[], object], timeout_s: float, *, what: str = "the condition") -> None:
    """
    Return as soon as `predicate()` is true; it is asked at once, and then every 20 ms.

    Args:
        predicate: What to ask; its exceptions pass through.
        timeout_s: Seconds to wait, 0 or more; 0 asks once.
        what: What is waited for, for the message.

    Raises:
        TimeoutError: It stayed false for `timeout_s` seconds.
    """
    end = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() >= end:
            raise TimeoutError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(POLL_S)


def is_listening(port: int, *, host: str = "127.0.0.1") -> bool:
    """Tell whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def wait_for_port(port: int, *, timeout_s: float = 10.0, host: str = "127.0.0.1") -> None:
    """
    Return when something accepts connections on the port.

    Raises:
        TimeoutError: Nothing did for `timeout_s` seconds.
    """
    wait_until(lambda: is_listening(port, host=host), timeout_s, what=f"a listener on {host}:{port}")


def free_port() -> int:
    """Return a loopback port that nothing listens on now; nothing keeps it from being taken later."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
