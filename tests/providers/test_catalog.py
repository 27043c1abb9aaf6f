"""The catalog: a sorted table, checked against the adapters it names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oneiric.core.errors import InvalidName, OneiricError
from oneiric.core.importing import load
from oneiric.providers import catalog
from oneiric.providers.catalog import CATEGORIES, DEFAULT_MEMBER, EMBEDDED_MEMBER, GROUP, ROWS, Catalog, Category, Row


def row_id(row: Row) -> str:
    """Name a case after its adapter."""
    return f"{row.category}/{row.name}"


def test_the_table_is_sorted_and_names_each_adapter_once() -> None:
    """A new row has one place to stand."""
    names = [(row.category, row.name) for row in ROWS]

    assert names == sorted(set(names))
    assert [category.name for category in CATEGORIES] == sorted({row.category for row in ROWS})


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_a_category_has_one_default_that_needs_nothing(category: Category) -> None:
    """A laptop works without a server and without an extra; all others have to be chosen."""
    rows = [row for row in ROWS if row.category == category.name]
    defaults = [row for row in rows if row.priority == DEFAULT_MEMBER]

    assert len(defaults) == 1
    assert defaults[0].extra is None
    assert {row.priority for row in rows} <= {DEFAULT_MEMBER, EMBEDDED_MEMBER, 0}
    assert load(category.protocol)._is_protocol


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_a_row_leads_to_an_adapter_with_settings(row: Row) -> None:
    """The path is a text, so only this test would see that it is wrong."""
    adapter = load(row.path)

    assert adapter.Settings.model_config["extra"] == "forbid"
    assert all(hasattr(adapter, name) for name in ("open", "close", "health"))


def test_reading_the_catalog_imports_no_adapter() -> None:
    """It is a table of texts."""
    program = (
        "import sys\n"
        "from oneiric.providers.catalog import Catalog\n"
        "Catalog().all_rows()\n"
        "print([name for name in sys.modules if name.startswith('oneiric.adapters')])"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert said.strip() == "[]"


@pytest.mark.parametrize(
    "priority",
    [
        pytest.param(1001, id="too high"),
        pytest.param(-1001, id="too low"),
        pytest.param(True, id="a truth value"),
        pytest.param(1.5, id="a fraction"),
    ],
)
def test_a_priority_is_a_whole_number_in_range(priority: int) -> None:
    """A row of another distribution is checked where it is made."""
    with pytest.raises(InvalidName, match="acme/mine"):
        Row("acme", "mine", "acme:Mine", priority=priority)


def test_a_row_tells_whether_its_extra_is_there() -> None:
    """Found out without importing it; the line that installs it is ready."""
    bare = Row("cache", "bare", "acme:Bare")
    there = Row("cache", "there", "acme:There", extra="storage", sdk="pydantic")
    absent = Row("cache", "absent", "acme:Absent", extra="acme", sdk="no_such_module_anywhere")

    assert [row.installed for row in (bare, there, absent)] == [True, True, False]
    assert [row.install for row in (bare, absent)] == [None, "pip install 'oneiric[acme]'"]


def test_a_catalog_looks_up_by_category_and_name() -> None:
    """An unknown category has no adapters."""
    rows = [Row("toys", "ball", "acme:Ball"), Row("toys", "kite", "acme:Kite")]
    toys = Catalog([Category("toys", "acme:Toy")], rows, third_party=False)

    assert list(toys.rows("toys")) == ["ball", "kite"]
    assert toys.rows("tools") == {}
    assert list(toys.categories()) == ["toys"]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install another distribution for the time of the test; the argument is what its entry point names."""

    def install(value: str) -> None:
        (tmp_path / "acme_rows.py").write_text(
            "from oneiric.providers.catalog import Category, Row\n"
            "ROWS = [Category('toys', 'acme:Toy'), Row('toys', 'ball', 'acme:Ball')]\n"
            "ROWS += [Row('cache', 'memory', 'acme:Own')]\n",
            "utf-8",
        )
        described = tmp_path / "acme-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", "utf-8")
        (described / "entry_points.txt").write_text(f"[{GROUP}]\nacme = {value}\n", "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        catalog._entries.cache_clear()

    yield install
    catalog._entries.cache_clear()
    sys.modules.pop("acme_rows", None)


def test_another_distribution_adds_rows_and_categories(install: Callable[[str], None]) -> None:
    """It adds, and replaces nothing of ours."""
    install("acme_rows:ROWS")

    everything = Catalog()

    assert list(everything.rows("toys")) == ["ball"]
    assert everything.categories()["toys"].protocol == "acme:Toy"
    assert everything.rows("cache")["memory"].path == "oneiric.adapters.cache.memory:MemoryCache"


def test_another_distribution_that_cannot_be_loaded_is_an_error(install: Callable[[str], None]) -> None:
    """An adapter that silently is not there would be looked for in the wrong place."""
    install("acme_rows:NOTHING")

    with pytest.raises(OneiricError, match="acme_rows:NOTHING"):
        Catalog().all_rows()
