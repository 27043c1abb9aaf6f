"""Graphs as goldens: files beside the tests, so that a change of the graph is seen in a review."""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any, Protocol

import pytest

FOLDER = "goldens"
OPTION = "--oneiric-update"
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")


class Drawable(Protocol):
    """What has a graph: a container, or an application."""

    def graph(self) -> Any:
        """Return it as data."""


class GraphGoldens:
    """
    Compares the graph of an application with goldens.

    Args:
        application: Whose graph.
        folder: Where the goldens lie, one file `NAME.json` each.
        is_written: Write them instead.
    """

    def __init__(self, application: Drawable, folder: Path, *, is_written: bool = False) -> None:
        self._application, self._folder, self._is_written = application, folder, is_written

    def match(self, name: str) -> None:
        """
        Compare the graph as it is now with a golden, byte for byte.

        Args:
            name: The golden's name, of letters, digits, `_`, `-` and dots.

        Raises:
            Failed: They differ, or there is no such golden.
            ValueError: The name is none.
        """
        __tracebackhide__ = True
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a golden: letters, digits, _, - and dots")
        path = self._folder / f"{name}.json"
        text = json.dumps(self._application.graph().fields(), ensure_ascii=False, indent=2) + "\n"
        if self._is_written:
            _write(path, text)
            return
        shown = f"{path.parent.name}/{path.name}"
        if not path.is_file():
            pytest.fail(f"there is no golden {shown}\nfix: pytest {OPTION} writes it", pytrace=False)
        stored = path.read_text("utf-8")
        if stored != text:
            lines = difflib.unified_diff(
                stored.splitlines(), text.splitlines(), f"golden {shown}", "graph", lineterm="", n=1
            )
            said = "\n".join(lines)
            pytest.fail(f"the graph differs from {shown}\n{said}\nfix: pytest {OPTION} writes it anew", pytrace=False)


def _write(path: Path, text: str) -> None:
    """Write a file as a whole: several workers may write the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_text(text, "utf-8")
    half.replace(path)
