"""The one import of the engine, and what it does not bring along."""

from __future__ import annotations

import subprocess
import sys

import pytest

from oneiric.providers import engine
from oneiric.providers.engine import OPTIONAL, Provide, ProvideMarker

LIMIT_S = 60


def run(program: str) -> str:
    """Run a program in an interpreter of its own, and return what it prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_engine_brings_none_of_the_libraries_it_knows() -> None:
    """It tries them all when it is imported, and they cost more than it does."""
    loaded = run("import sys, oneiric.providers.engine; print(*sys.modules)").split()

    assert OPTIONAL & set(loaded) == set()


def test_what_was_hidden_can_be_imported_afterwards() -> None:
    """It was hidden from that one import, and from nobody else."""
    said = run(
        "import sys, oneiric.providers.engine, pydantic, starlette\n"
        "print(pydantic.__name__, starlette.__name__, [f for f in sys.meta_path if type(f).__name__ == '_Hidden'])"
    )

    assert said == "pydantic starlette []"


def test_another_thread_imports_what_is_hidden_from_this_one() -> None:
    """A server may import its framework at the same moment."""
    said = run(
        "import threading\n"
        "from oneiric.core.importing import hiding\n"
        "from oneiric.providers.engine import OPTIONAL\n"
        "with hiding(OPTIONAL):\n"
        "    thread = threading.Thread(target=lambda: print(__import__('starlette').__name__))\n"
        "    thread.start(); thread.join()\n"
        "    try:\n"
        "        import werkzeug\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(error.name)"
    )

    assert said.split() == ["starlette", "werkzeug"]


@pytest.mark.parametrize("name", sorted(engine.__all__))
def test_the_engine_keeps_what_we_build_on(name: str) -> None:
    """A release that drops one of these is seen here first."""
    assert getattr(engine, name) is not None


def test_a_marker_tells_what_it_was_made_of() -> None:
    """`Provide["cache"]` is an object of ProvideMarker with the name inside."""
    marker = Provide["cache"]

    assert isinstance(marker, ProvideMarker)
    assert (marker.provider, marker.modifier) == ("cache", None)
