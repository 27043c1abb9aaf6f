"""Which folders have to be watched for a path: every one in which it can come to lead elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from oneiric.runtime.watch import places


@pytest.mark.parametrize(
    ("links", "path", "expected"),
    [
        pytest.param({}, "a/file", ["a"], id="a file"),
        pytest.param({}, "none/such/file", ["."], id="a folder that is not there"),
        pytest.param({"a/file": "../b/file"}, "a/file", ["a", "b"], id="a link to another folder"),
        pytest.param({"c": "b"}, "c/file", [".", "b", "c"], id="a folder that is a link"),
        pytest.param({"a/..data": "..1", "a/file": "..data/file"}, "a/file", ["a", "a/..data"], id="two links"),
        pytest.param({"a/file": "file"}, "a/file", ["a"], id="a link to itself"),
        pytest.param({"a/file": "file/file"}, "a/file", ["a"], id="a link into itself"),
    ],
)
def test_the_places_of_a_path(tmp_path: Path, links: dict[str, str], path: str, expected: Sequence[str]) -> None:
    """Every folder in which it can come to lead elsewhere is watched."""
    for folder in ("a", "a/..1", "b"):
        (tmp_path / folder).mkdir(exist_ok=True)
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)

    found = {place.relative_to(tmp_path).as_posix() for place in places(tmp_path / path)}

    assert found >= set(expected)
