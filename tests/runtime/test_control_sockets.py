"""Where control sockets are: found by application and process, and only in a folder of the user's own."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oneiric.core.errors import ControlUnavailable
from oneiric.runtime.control_sockets import folder_of, listen, own_folder, running, user_of


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="on-") as found:
        yield Path(found, "oneiric")


def other_process(folder: Path, name: str, process: int) -> socket.socket:
    """Listen as another process of an application would."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / f"{name}-{process}.sock"))
    listener.listen()
    return listener


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"XDG_RUNTIME_DIR": "/run/user/1000"}, "/run/user/1000/oneiric", id="of the session"),
        pytest.param({}, f"{tempfile.gettempdir()}/oneiric-{os.geteuid()}", id="among temporary files"),
        pytest.param(
            {"XDG_RUNTIME_DIR": ""}, f"{tempfile.gettempdir()}/oneiric-{os.geteuid()}", id="an empty variable"
        ),
    ],
)
def test_the_folder_is_one_of_the_user(environ: dict[str, str], expected: str) -> None:
    """Without a session it bears the user's number, so that users do not meet."""
    assert folder_of(environ) == Path(expected)


def test_an_open_folder_of_the_user_is_closed(folder: Path) -> None:
    """Whoever made it."""
    folder.mkdir(mode=0o755)

    own_folder(folder)

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_somebody_else_put_there_is_not_used(folder: Path, tmp_path: Path) -> None:
    """Not by who listens, and not by who asks: they could answer in our name."""
    folder.symlink_to(tmp_path)

    with pytest.raises(ControlUnavailable, match="no folder of this user"):
        listen(folder, "orders")
    with pytest.raises(ControlUnavailable, match="no folder of this user"):
        list(running(folder))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(folder: Path) -> None:
    """Its owner counts, not only its kind."""
    folder.mkdir()
    os.chown(folder, 65_534, 65_534)

    with pytest.raises(ControlUnavailable, match="no folder of this user"):
        listen(folder, "orders")


def test_what_dead_processes_left_is_replaced_and_the_living_stay(folder: Path) -> None:
    """Also a socket of our own number, which a process of before had."""
    own_folder(folder)
    for process in (os.getpid(), 4101):
        other_process(folder, "orders", process).close()
    with closing(other_process(folder, "orders", 4102)):
        listener, path = listen(folder, "orders")
        with closing(listener):
            left = sorted(one.name for one in folder.iterdir())
            found = dict(running(folder, "orders"))

    assert left == sorted(["orders-4102.sock", f"orders-{os.getpid()}.sock"])
    assert found == {4102: folder / "orders-4102.sock", os.getpid(): path}


def test_only_processes_of_the_application_that_live_are_found(folder: Path) -> None:
    """By its name; without one, all of them."""
    own_folder(folder)
    other_process(folder, "orders", 4101).close()
    with closing(other_process(folder, "orders", 4102)), closing(other_process(folder, "orders_eu", 4103)):
        orders = [process for process, _ in running(folder, "orders")]
        every = [process for process, _ in running(folder)]

    assert orders == [4102]
    assert every == [4102, 4103]


def test_where_nothing_ever_ran_nothing_is_found(folder: Path) -> None:
    """Asking makes no folder."""
    assert list(running(folder, "orders")) == []
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../../etc/orders", id="a path"),
        pytest.param("orders eu/2", id="blanks"),
        pytest.param("ö" * 300, id="long"),
        pytest.param("", id="empty"),
    ],
)
def test_any_name_of_an_application_makes_a_socket_in_the_folder(folder: Path, name: str) -> None:
    """And it is found by that name again."""
    listener, path = listen(folder, name)
    with closing(listener):
        found = list(running(folder, name))

    assert path.parent == folder
    assert found == [(os.getpid(), path)]


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    """Not the client."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert user_of(one) == os.geteuid()
