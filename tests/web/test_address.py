"""Where the server listens, and who may have said so."""

from __future__ import annotations

import socket

import pytest

from oneiric.core.errors import InvalidPort, InvalidValue, PortInUse
from oneiric.web.address import Address, find_address, listen
from oneiric.web.settings import WebSettings


@pytest.mark.parametrize(
    ("flag", "setting", "variable", "port"),
    [
        pytest.param("1", 2, "3", 1, id="the flag stands above all"),
        pytest.param(1, None, None, 1, id="the flag may be a number"),
        pytest.param("0", 2, "3", 0, id="zero is said, and asks for a free port"),
        pytest.param(None, 2, "3", 2, id="the setting stands above PORT"),
        pytest.param(None, None, "3", 3, id="PORT stands above the default"),
        pytest.param(None, None, "", 8080, id="an empty PORT says nothing"),
        pytest.param(None, None, None, 8080, id="nobody says anything"),
        pytest.param("65535", None, None, 65_535, id="the highest port"),
    ],
)
def test_the_port_is_said_by_the_first_who_says_one(
    flag: str | int | None, setting: int | None, variable: str | None, port: int
) -> None:
    """`--port` wins over `web.port`, that over PORT, and that over 8080."""
    environ = {} if variable is None else {"PORT": variable}

    address = find_address(WebSettings(port=setting), is_public=False, flag=flag, environ=environ)

    assert address == Address("127.0.0.1", port)


@pytest.mark.parametrize(
    ("flag", "variable", "origin"),
    [
        pytest.param("eighty", None, "--port", id="a word on the command line"),
        pytest.param("-1", None, "--port", id="a negative number"),
        pytest.param("65536", None, "--port", id="one too high"),
        pytest.param("000000000080", None, "--port", id="more digits than a port has"),
        pytest.param("٨٠", None, "--port", id="digits of another script"),
        pytest.param(" 80", None, "--port", id="a blank"),
        pytest.param(None, "eighty", "PORT", id="a word in the environment"),
        pytest.param(None, "tcp://10.0.0.1:80", "PORT", id="what links of containers put there"),
    ],
)
def test_a_port_that_is_none_is_refused_with_who_said_it(flag: str | None, variable: str | None, origin: str) -> None:
    """A wrong port never falls to the next one who says something."""
    environ = {} if variable is None else {"PORT": variable}

    with pytest.raises(InvalidPort) as caught:
        find_address(WebSettings(), is_public=False, flag=flag, environ=environ)

    assert str(caught.value.origin) == origin


@pytest.mark.parametrize(
    ("setting", "is_public", "host"),
    [
        pytest.param(None, False, "127.0.0.1", id="only this machine by default"),
        pytest.param(None, True, "0.0.0.0", id="every address in a public profile"),
        pytest.param("10.0.0.7", True, "10.0.0.7", id="the setting stands above the profile"),
    ],
)
def test_the_host_follows_the_profile_unless_it_is_set(setting: str | None, is_public: bool, host: str) -> None:
    """Nothing is public by accident."""
    address = find_address(WebSettings(host=setting), is_public=is_public, flag=None, environ={})

    assert address == Address(host, 8080)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        pytest.param("127.0.0.1", True, id="loopback"),
        pytest.param("127.8.9.10", True, id="anywhere in 127.0.0.0/8"),
        pytest.param("::1", True, id="loopback of IPv6"),
        pytest.param("localhost", True, id="localhost"),
        pytest.param("0.0.0.0", False, id="every address"),
        pytest.param("::", False, id="every address of IPv6"),
        pytest.param("10.0.0.7", False, id="a private network"),
        pytest.param("localhost.example.org", False, id="a name that only begins so"),
        pytest.param("127.0.0.1.example.org", False, id="a name that looks like an address"),
    ],
)
def test_loopback_is_told_from_what_others_reach(host: str, is_loopback: bool) -> None:
    """Push without authentication depends on it."""
    assert Address(host, 80).is_loopback is is_loopback


def test_a_port_is_listened_on_at_once() -> None:
    """Connections wait from the first moment on, also before anybody accepts them."""
    with listen(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass

    assert port > 0


def test_a_taken_port_is_refused() -> None:
    """The second process finds out before it opens anything."""
    with listen(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(PortInUse) as caught:
            listen(Address("127.0.0.1", port))

    assert caught.value.message == f"cannot listen on 127.0.0.1:{port}: address already in use"


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("192.0.2.1", id="of another machine"),
        pytest.param("no-such-host.invalid", id="a name that leads nowhere"),
    ],
)
def test_a_host_of_elsewhere_is_refused(host: str) -> None:
    """The error names the setting, because the port is not at fault."""
    with pytest.raises(InvalidValue) as caught:
        listen(Address(host, 0))

    assert caught.value.key == "web.host"


@pytest.mark.parametrize(
    ("why", "fixes"),
    [
        pytest.param("address already in use", ("--port NUMBER", "stop the other process"), id="taken"),
        pytest.param("permission denied", ("--port NUMBER, 1024 or more",), id="not allowed"),
    ],
)
def test_a_port_that_cannot_be_had_is_answered_with_what_helps(why: str, fixes: tuple[str, ...]) -> None:
    """Where nobody else listens, there is no other process to stop."""
    assert PortInUse("127.0.0.1", 80, why).fixes == fixes
