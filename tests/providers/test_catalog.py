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
    """Install another distribution for the time of the test; the argument is the code that sets its ROWS."""

    def install(code: str) -> None:
        (tmp_path / "acme_rows.py").write_text(
            f"from oneiric.providers.catalog import Category, Row\n{code}\n", "utf-8"
        )
        described = tmp_path / "acme-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", "utf-8")
        (described / "entry_points.txt").write_text(f"[{GROUP}]\nacme = acme_rows:ROWS\n", "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        catalog._added.cache_clear()

    yield install
    catalog._added.cache_clear()
    sys.modules.pop("acme_rows", None)


def test_another_distribution_adds_rows_and_categories(install: Callable[[str], None]) -> None:
    """A category may stand after its rows; the origin of a row is the module it stands in."""
    install("ROWS = (Row('toys', 'ball', 'acme:Ball'), Category('toys', 'acme:Toy'), Row('cache', 'own', 'acme:Own'))")

    everything = Catalog()

    assert list(everything.rows("toys")) == ["ball"]
    assert everything.categories()["toys"].protocol == "acme:Toy"
    assert list(everything.rows("cache"))[-1] == "own"
    assert str(everything.rows("cache")["own"].origin) == "acme_rows"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("NOTHING = 1", 'cannot load "acme_rows:ROWS": "acme_rows" has no attribute "ROWS"', id="absent"),
        pytest.param("1 / 0", "ZeroDivisionError: division by zero", id="it raises"),
        pytest.param("raise SystemExit(3)", "SystemExit: 3", id="it exits"),
        pytest.param("ROWS = 3", "holds something else than Row and Category objects", id="no iterable"),
        pytest.param("ROWS = ['cache']", "holds something else than Row and Category objects", id="other things"),
        pytest.param("ROWS = [Row('cache', 'memory', 'a:B')]", '"cache/memory" cannot be a name here', id="taken"),
        pytest.param("ROWS = [Row('cache', 'x', 'a:B')] * 2", '"cache/x" cannot be a name here', id="twice"),
        pytest.param("ROWS = [Category('cache', 'a:B')]", '"cache" cannot be a name here', id="taken category"),
        pytest.param("ROWS = [Row('cashe', 'x', 'a:B')]", 'there is no category "cashe"', id="no such category"),
        pytest.param("ROWS = [Row('cache', 'A\\n', 'a:B')]", "of lower-case letters", id="no name"),
        pytest.param("ROWS = [Row('cache', 'x', 'a:B', priority=2000)]", "its priority is no whole", id="priority"),
    ],
)
def test_a_distribution_at_fault_is_named_every_time_it_is_asked(
    install: Callable[[str], None], code: str, said: str
) -> None:
    """An adapter that silently is not there would be looked for in the wrong place; a report counts it once."""
    install(code)
    everything = Catalog()
    found = []

    for ask in (everything.all_rows, everything.categories, lambda: everything.rows("cache")):
        with pytest.raises(OneiricError) as caught:
            ask()
        found.append(caught.value)

    assert said in found[0].message
    assert "acme 1.0" in found[0].message
    assert found[0].fixes == ("update acme 1.0", "pip uninstall acme")
    assert all(error is found[0] for error in found)
