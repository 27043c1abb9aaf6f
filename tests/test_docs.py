"""The documentation: its code runs, its reference is complete, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneiric import Application, Inputs
from oneiric.cli.commands import program
from oneiric.core import errors
from oneiric.core.errors import OneiricError
from oneiric.core.importing import load
from oneiric.core.profiles import BUILT_IN
from oneiric.core.reasons import REASONS
from oneiric.providers.catalog import Catalog
from oneiric.runtime.orchestrator import prepare
from oneiric.web.answers import INTERNAL, SAID
from tests.support.page import blocks, matches

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [page for page in PAGES if {block.kind for block in blocks(page)} & {"python", "console"}]
LINK = re.compile(r"\]\((?!https?://|#)(?P<path>[^)#\s]+)")


def name_of(page: Path) -> str:
    """Name a case after its page."""
    return page.relative_to(ROOT).as_posix()


def reader_environment(home: Path) -> dict[str, str]:
    """Return the environment of a reader: nothing that Oneiric reads, and a home without files."""
    kept = {name: value for name, value in os.environ.items() if name != "PORT" and not name.startswith("ONEIRIC_")}
    ours = {"HOME": str(home), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    kept.pop("XDG_CONFIG_HOME", None)
    return {**kept, **ours}


def headings(page: str) -> list[str]:
    """Return the headings of a reference page, without their marks."""
    text = (ROOT / "docs" / "reference" / page).read_text("utf-8")
    return [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]


def first_cells(page: str) -> set[str]:
    """Return the first cell of every table row of a reference page, without its code marks."""
    text = (ROOT / "docs" / "reference" / page).read_text("utf-8")
    return {line.split("|")[1].strip().strip("`") for line in text.splitlines() if line.startswith("| ")}


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_a_reader_can_do_what_a_page_says(page: Path, tmp_path: Path) -> None:
    """Every code block runs, and every command prints what stands below it; `examples` lies beside the reader."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, str(ROOT / "tests" / "support" / "page.py"), str(page)]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=reader_environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_reference_is_what_the_code_says() -> None:
    """`make docs` would change nothing."""
    command = [sys.executable, str(ROOT / "tools" / "docs.py"), "--check"]

    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_error_code_has_its_heading_and_every_heading_its_code() -> None:
    """A code that goes takes its heading along."""
    exported = (getattr(errors, name) for name in errors.__all__)
    codes = {thing.code for thing in exported if isinstance(thing, type) and issubclass(thing, OneiricError)}

    assert headings("errors.md")[1:] == [*sorted(codes), "Over HTTP"]


def test_every_code_that_exists_only_over_http_has_its_row() -> None:
    """A caller finds what an answer means, also where no exception has that code."""
    text = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")

    assert [code for code, _ in SAID.values() if f"| `{code}` |" not in text] == []
    assert f"| 500 | `{INTERNAL}` |" in text


def test_every_adapter_has_its_row_and_every_category_its_heading() -> None:
    """The catalog is in the reference as a whole."""
    catalog = Catalog(third_party=False)
    adapters = {f"{row.category}/{row.name}" for row in catalog.all_rows()}

    assert first_cells("adapters.md") - {"adapter"} == adapters
    assert headings("adapters.md")[1:] == sorted(catalog.categories())


def test_every_setting_of_an_adapter_has_its_row() -> None:
    """A person finds each key with its type, default and range."""
    keys = {
        f"{row.category}.{row.name}.{field}"
        for row in Catalog(third_party=False).all_rows()
        for field in load(row.path).Settings.model_fields
    }

    assert keys - first_cells("settings.md") == set()


def test_every_setting_of_a_section_has_its_row(tmp_path: Path) -> None:
    """The sections of the framework stand beside the adapters."""
    prepared = prepare(Application("docs"), Inputs(environ={}, folder=tmp_path))
    keys = {
        f"{name}.{field}" for name, model in prepared.sections.items() for field in getattr(model, "model_fields", {})
    }

    assert {"app.stop_timeout_s", "web.host", "push.auth"} <= keys
    assert keys - first_cells("settings.md") == set()


def test_every_setting_says_what_it_means() -> None:
    """No row of the settings ends with an empty cell."""
    text = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")

    assert [line for line in text.splitlines() if line.endswith("|  |")] == []


def test_every_profile_has_its_heading() -> None:
    """The built-in profiles are in the reference."""
    assert set(BUILT_IN) - set(headings("profiles.md")) == set()


def test_every_reason_has_its_heading_and_every_heading_its_reason() -> None:
    """What an explanation answers can be looked up, and nothing else is listed."""
    assert headings("reasons.md")[1:] == sorted(REASONS)


def test_every_command_has_its_heading_and_every_heading_its_command() -> None:
    """The commands are in the reference under the names that a person types, those of a group with its name."""
    groups = [("", program), *((f"{group.name} ", group.typer_instance) for group in program.registered_groups)]
    names = {
        before + (info.name or getattr(info.callback, "__name__", ""))
        for before, group in groups
        if group is not None
        for info in group.registered_commands
    }

    assert {"bundle", "explain", "manifest pack", "secrets rotate"} <= names
    assert set(headings("cli.md")[1:]) == {"Options of every command", *names, "Exit codes"}


def links() -> Iterator[tuple[str, Path]]:
    """Yield every link inside the repository, with where it leads."""
    for page in PAGES:
        for found in LINK.finditer(page.read_text("utf-8")):
            yield f"{name_of(page)}: {found['path']}", page.parent / found["path"]


def test_every_link_leads_to_a_file() -> None:
    """A file that moves takes its links along."""
    assert [link for link, target in links() if not target.exists()] == []


def test_every_page_is_in_the_index() -> None:
    """`docs/README.md` leads to every page."""
    indexed = {target.resolve() for link, target in links() if link.startswith("docs/README.md")}

    assert [name_of(page) for page in PAGES[1:] if page.name != "README.md" and page.resolve() not in indexed] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    """What a page tells to type is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z-]+)`", page.read_text("utf-8"))}

    assert named - targets == set()
    assert {"demo", "test"} <= named


@pytest.mark.parametrize(
    ("wanted", "printed", "fits"),
    [
        pytest.param("a\nb", "a\nb\n", True, id="the same"),
        pytest.param("a  \nb", "a\nb  \n", True, id="blanks at the end of a line"),
        pytest.param("a\n...", "a\nb\nc\n", True, id="anything below"),
        pytest.param("...\nc", "a\nb\nc\n", True, id="anything above"),
        pytest.param("a\n...\nb", "a\nb\n", True, id="nothing between"),
        pytest.param("a", "a\nb\n", False, id="more than the page says"),
        pytest.param("a\nb", "a\n", False, id="less than the page says"),
        pytest.param("a.", "ab\n", False, id="a dot is a dot"),
        pytest.param("a  b", "a     b\n", True, id="a wider column"),
        pytest.param("  a", "a\n", False, id="another indent"),
    ],
)
def test_an_output_is_compared_line_by_line(wanted: str, printed: str, fits: bool) -> None:
    """Only a line of three dots stands for other lines."""
    assert matches(wanted, printed) is fits
