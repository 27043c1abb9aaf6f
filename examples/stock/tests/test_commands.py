"""What each command does, says and leaves behind; storage and articles are replaced by overrides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from examples.stock.articles import Articles
from examples.stock.settings import StockSettings
from examples.stock.tests.conftest import Run
from oneiric import Application
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.storage.memory import MemoryStorage

Overriding = Callable[[Mapping[Any, object]], object]


def test_what_is_received_can_be_taken(run: Run) -> None:
    """The shelf outlives one command; each says how many there are then."""
    printed = [run("receive", "MUG", "12").stdout, run("receive", "MUG", "1").stdout, run("take", "MUG", "5").stdout]

    assert printed == ["MUG: 12\n", "MUG: 13\n", "MUG: 8\n"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(("take", "MUG", "13"), "MUG: 12 there, 13 wanted", id="too few"),
        pytest.param(("take", "TEA", "1"), "TEA: 0 there, 1 wanted", id="never received"),
        pytest.param(("receive", "SOFA", "1"), "SOFA is no article", id="no article"),
    ],
)
def test_what_cannot_be_moved_is_refused_with_its_reason(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    """The exit status is 1, the reason is on standard error, and the shelf is as it was."""
    run("receive", "MUG", "12")

    refused = run(*arguments)

    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", f"{reason}\n")
    assert run("levels").stdout == "MUG           12  mug\n"


def test_all_of_a_file_is_taken_or_nothing(run: Run, tmp_path: Path) -> None:
    """One command is one transaction: an exit other than 0 rolls back what it had taken before."""
    run("receive", "MUG", "12")
    run("receive", "TEA", "9")
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("MUG,2\nTEA,3\n", "utf-8")
    bad.write_text("MUG,2\nTEA,30\n", "utf-8")

    picked, refused = run("pick", str(good)), run("pick", str(bad))

    assert (picked.exit_code, picked.stdout) == (0, "MUG: 10\nTEA: 6\n")
    assert (refused.exit_code, refused.stderr) == (1, "TEA: 6 there, 30 wanted\n")
    assert run("levels").stdout == "MUG           10  mug\nTEA            6  tea, 100 g\n"


def test_an_export_lies_in_the_storage(run: Run, storage: MemoryStorage) -> None:
    """What the slot `storage` holds is the object of the override."""
    run("receive", "MUG", "12")

    assert run("export", "monday.csv").stdout == "monday.csv: 20 bytes\n"

    assert asyncio.run(storage.get("monday.csv")) == b"sku,quantity\nMUG,12\n"


def test_the_articles_come_from_the_storage(run: Run, storage: MemoryStorage) -> None:
    """A list there replaces that of the code."""
    asyncio.run(storage.put("articles.json", json.dumps({"PEN": "pen"}).encode()))

    assert run("articles").stdout == "PEN     pen\n"
    assert run("receive", "PEN", "1").stdout == "PEN: 1\n"


def test_the_articles_come_from_the_cache_as_long_as_they_are_in_it(
    run: Run, storage: MemoryStorage, oneiric_override: Overriding
) -> None:
    """A cache that outlives one command, as a server's does, spares the next one the storage."""
    cache = MemoryCache(MemoryCache.Settings())
    asyncio.run(cache.open())
    oneiric_override({"cache": cache})
    before = run("articles").stdout
    asyncio.run(storage.put("articles.json", json.dumps({"PEN": "pen"}).encode()))

    during = run("articles").stdout
    asyncio.run(cache.clear())

    assert before == during
    assert run("articles").stdout == "PEN     pen\n"


def test_an_object_of_the_application_can_be_replaced_as_an_adapter_can(run: Run, oneiric_override: Overriding) -> None:
    """Here by its type; all commands, and the shelf that was built from it, see the other articles."""
    override = oneiric_override({Articles: Articles({"PEN": "pen"})})

    assert run("receive", "PEN", "1").exit_code == 0
    override.undo()  # type: ignore[attr-defined]  # a handle
    assert run("receive", "PEN", "1").stderr == "PEN is no article\n"


def test_a_local_override_reaches_a_command_and_nobody_else(run: Run, oneiric_app: Application) -> None:
    """It is seen by the event loop that the command runs in, since that runs in a copy of this context."""
    with oneiric_app.local_override({Articles: Articles({"PEN": "pen"})}):
        inside = run("articles").stdout
        with_another_context = asyncio.run(asyncio.to_thread(run, "articles")).stdout

    assert (inside, with_another_context) == ("PEN     pen\n", "PEN     pen\n")
    assert run("articles").stdout.splitlines()[0] == "COFFEE  coffee, 500 g"


@pytest.mark.parametrize(
    ("low", "mark"),
    [
        pytest.param(5, "", id="as many as the setting says"),
        pytest.param(6, "  low", id="fewer"),
    ],
)
def test_an_article_is_low_below_the_setting(run: Run, oneiric_local: Overriding, low: int, mark: str) -> None:
    """Settings are injected, and replaced, as anything else."""
    run("receive", "MUG", "5")
    oneiric_local({StockSettings: StockSettings(low=low)})

    assert run("levels").stdout == f"MUG            5  mug{mark}\n"


@pytest.mark.parametrize("command", ["receive", "take", "pick", "levels", "export", "articles"])
def test_the_help_of_a_command_names_nothing_that_is_injected(run: Run, oneiric_app: Application, command: str) -> None:
    """And asking for it opens nothing."""
    helped = run(command, "--help")

    assert helped.exit_code == 0
    assert [
        word for word in ("shelf:", "--shelf", "--articles", "--storage", "--settings") if word in helped.stdout
    ] == []
    assert oneiric_app.state in {"new", "stopped"}
