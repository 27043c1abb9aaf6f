"""What `oneiric manifest pack` answers, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import of_app, steady
from tests.support.golden import check_golden

COUNTER = of_app("counter_shop")
FILES = ["oneiric.manifest.json", "oneiric.manifest.sha256"]
FILE = """\
[select]
cache = "guarded"

[settings.cache.guarded]
max_items = 500

[profiles.serverless.settings.cache.guarded]
tries = 5

[profiles.serverless.deny]
storage = ["memory"]
"""


@pytest.fixture(autouse=True)
def configured(folder: Path) -> None:
    """A configuration file with tables of its own for one profile."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")


def written(folder: Path) -> list[str]:
    """Return which files of a manifest are in a folder."""
    return sorted(path.name for path in folder.glob("oneiric.manifest.*"))


def test_a_packed_manifest_reads_as_its_golden(oneiric: Run, folder: Path) -> None:
    """It holds what the file says in the profile, with the lines; what it cannot hold is told."""
    done = oneiric("manifest", "pack", *COUNTER, "--profile", "serverless", "--version", "v1")

    assert (done.code, done.err, written(folder)) == (0, "", FILES)
    check_golden("cli/packing/answer.txt", steady(done.out))
    check_golden("cli/packing/manifest.txt", (folder / FILES[0]).read_text("utf-8").rstrip("\n"))


def test_the_digest_stands_beside_the_manifest(oneiric: Run, folder: Path) -> None:
    """The same one stands in the answer, in the manifest and in the file of its own."""
    answer = oneiric("manifest", "pack", *COUNTER, "--json").answer

    digest = answer["digest"]
    assert json.loads((folder / FILES[0]).read_text("utf-8"))["digest"] == digest
    assert (folder / FILES[1]).read_text("utf-8").strip() == digest
    assert (answer["name"], answer["version"], answer["select"], answer["settings"]) == ("counter", "unversioned", 1, 1)
    assert (answer["files"], answer["left_out"]) == (FILES, [])


def test_what_was_packed_is_what_the_next_command_reads(oneiric: Run, folder: Path) -> None:
    """Without the file the manifest says the same, and leads to the line that said it first."""
    oneiric("manifest", "pack", *COUNTER, "--profile", "serverless")
    (folder / "oneiric.toml").unlink()

    winner = oneiric("explain", "cache", *COUNTER, "--profile", "serverless", "--json").answer["winner"]

    assert (winner["layer"], winner["value"]) == ("manifest", "guarded")


def test_variables_are_no_part_of_a_build(oneiric: Run, folder: Path) -> None:
    """Only what the file says is packed, whatever this machine says."""
    oneiric("manifest", "pack", *COUNTER, ONEIRIC_CACHE__GUARDED__TRIES="9", ONEIRIC_SELECT__CACHE="memory")

    packed = json.loads((folder / FILES[0]).read_text("utf-8"))
    assert (packed["select"], packed["settings"]) == ({"cache": "guarded"}, {"cache.guarded.max_items": 500})


OPTIONS = [
    pytest.param(("--select", "cache=memory"), "No such option: --select", id="a choice on the command line"),
    pytest.param(("--expires", "tomorrow"), "give a time with its zone", id="no time"),
    pytest.param(("--expires", "2020-01-01T00:00:00Z"), "that time is over", id="a time that is over"),
    pytest.param(("--out", "nowhere"), "--out nowhere: ", id="no such folder"),
]


@pytest.mark.parametrize(("arguments", "why"), OPTIONS)
def test_an_option_that_cannot_be_is_refused(oneiric: Run, folder: Path, arguments: tuple[str, ...], why: str) -> None:
    """It exits with 2, and nothing is written."""
    done = oneiric("manifest", "pack", *COUNTER, *arguments)

    assert (done.code, done.out, written(folder)) == (2, "", [])
    assert done.err.startswith("error[bad-option] oneiric manifest pack: ")
    assert why in done.err


def test_a_choice_before_the_command_is_refused_too(oneiric: Run, folder: Path) -> None:
    """It would not be in the manifest, and whoever gave it would think that it is."""
    done = oneiric("--select", "cache=memory", "manifest", "pack", *COUNTER)

    assert (done.code, written(folder)) == (2, [])
    assert "--select, --set and --manifest: only what files say is packed" in done.err


def test_a_secret_in_the_file_keeps_it_from_being_packed(oneiric: Run, folder: Path) -> None:
    """In a production profile a plaintext secret is a fault; it is not shown, and nothing is written."""
    text = FILE.replace("max_items = 500", 'max_items = 500\npassword = "hunter2"')
    (folder / "oneiric.toml").write_text(text, "utf-8")

    done = oneiric("manifest", "pack", *COUNTER, "--profile", "serverless")

    assert (done.code, done.out, written(folder)) == (1, "", [])
    assert "error[plaintext-secret] " in done.err
    assert "hunter2" not in done.err
