"""The backends that tests ask for are what they claim to be."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oneiric.testing.contracts import Backend
from tests.backends.backends import STARTERS
from tests.backends.server import launch
from tests.support.backend import MissingBackend, from_environment, start
from tests.support.wait import free_port, is_listening, wait_until

ROOT = Path(__file__).parents[2]
# PostgreSQL documentation, "Message Formats", SSLRequest: answered by one byte, S or N.
POSTGRES_SSL_REQUEST = bytes([0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F])
# MQTT 3.1.1 section 3.1: CONNECT, level 4, clean session, keep alive 60 s, an empty client identifier.
MQTT_CONNECT = bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "request_bytes", "answer"),
    [
        pytest.param("redis", b"PING\r\n", rb"^\+PONG", id="redis answers PING"),
        pytest.param("nats", b"", rb"^INFO \{", id="nats introduces itself"),
        pytest.param("postgres", POSTGRES_SSL_REQUEST, rb"^[NS]$", id="postgres says whether it has TLS"),
        pytest.param("mariadb", b"", b"MariaDB", id="mariadb sends its version"),
        pytest.param("rabbitmq", b"AMQP\x00\x00\x09\x01", b"RabbitMQ", id="rabbitmq starts AMQP 0-9-1"),
        pytest.param("mqtt", MQTT_CONNECT, rb"^\x20\x02\x00\x00$", id="mosquitto accepts a client"),
    ],
)
def test_a_backend_speaks_the_protocol_of_its_name(
    find_backend: Callable[[str], Backend], name: str, request_bytes: bytes, answer: bytes
) -> None:
    """The address that a test is given belongs to a server of that kind, not to whatever has the port."""
    address = urlsplit(find_backend(name).url)

    with socket.create_connection((address.hostname, address.port), timeout=5) as peer:
        peer.sendall(request_bytes)
        said = peer.recv(4096)

    assert re.search(answer, said)


class Embedded:
    """Stands for a contract suite, whose own fixture serves adapters that need no server."""

    @pytest.fixture
    def backend(self) -> None:
        """No server."""


@pytest.mark.slow
class TestBackendOfAClass(Embedded):
    """A class that inherits a suite and names a server has its tests run against that server."""

    backend = "redis"

    def test_the_name_hides_the_fixture_of_the_suite(self, backend: Backend) -> None:
        """`backend = "redis"` is all that a test class of an adapter has to say about its server."""
        assert backend.url is not None
        assert backend.url.startswith("redis://")

    def test_two_tests_get_two_names_on_one_server(self, find_backend: Callable[[str], Backend]) -> None:
        """`unique` differs each time, so that tests on one server do not meet."""
        first, second = find_backend("redis"), find_backend("redis")

        assert first.url == second.url
        assert first.unique != second.unique


def test_an_address_where_nothing_listens_is_a_missing_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is reported with its variable; the starter is not tried behind the person's back."""
    port = free_port()
    monkeypatch.setenv("ONEIRIC_TEST_REDIS_URL", f"redis://127.0.0.1:{port}/0")

    with pytest.raises(MissingBackend) as caught:
        from_environment("redis")

    assert str(caught.value) == f"ONEIRIC_TEST_REDIS_URL names 127.0.0.1:{port}, and nothing listens there"


def test_a_program_that_is_not_installed_is_a_missing_backend_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The reason of a skip is enough to get rid of it."""
    monkeypatch.setenv("NODE_MODULES", str(tmp_path))

    with pytest.raises(MissingBackend) as caught:
        start("dynalite")

    assert str(caught.value) == (
        "the npm program dynalite is not installed; set ONEIRIC_TEST_DYNALITE_URL, or install it: "
        "A second, stricter DynamoDB: npm `dynalite`."
    )


def test_a_stopped_server_leaves_neither_process_nor_folder() -> None:
    """`stop` ends the whole process group and removes the folder; a second call does nothing."""
    port = free_port()
    server = launch([sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1"], {}, ports=[port])
    folder = server.folder

    server.stop()
    server.stop()

    assert not is_listening(port)
    assert folder is not None
    assert not folder.exists()


def test_a_program_that_ends_at_once_is_reported_with_its_log() -> None:
    """A server that cannot start says why in its log, and the error carries the end of it."""
    command = [sys.executable, "-c", "print('no room on this port'); raise SystemExit(3)"]

    with pytest.raises(RuntimeError, match="ended with 3; no room on this port"):
        launch(command, {}, ports=[free_port()])


def test_every_starter_is_listed_and_documented() -> None:
    """The command lists all backends, sorted; each tells where it comes from."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.backends.backends", "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == sorted(STARTERS)
    assert [name for name, starter in STARTERS.items() if not starter.__doc__] == []


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("", "1 skipped", id="a laptop skips"),
        pytest.param("true", "1 failed", id="CI fails"),
    ],
)
@pytest.mark.slow
def test_a_missing_required_backend_skips_on_a_laptop_and_fails_in_ci(ci: str, outcome: str) -> None:
    """One place decides, by the variable CI, what a missing backend of the required list means."""
    env = {**os.environ, "CI": ci, "ONEIRIC_TEST_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    test = "tests/backends/test_backends.py::test_a_backend_speaks_the_protocol_of_its_name"

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", f"{test}[redis answers PING]"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome in done.stdout.splitlines()[-1]


def test_waiting_gives_up_with_the_name_of_what_did_not_come() -> None:
    """A time-out names what was waited for."""
    with pytest.raises(TimeoutError, match="the moon did not come within 0 s"):
        wait_until(lambda: False, 0, what="the moon")
