"""Texts that a person reads, kept in `tests/goldens/`: a change of one is seen in the commit."""

from __future__ import annotations

import os
from pathlib import Path

GOLDENS = Path(__file__).parents[1] / "goldens"
WRITE_VARIABLE = "ONEIRIC_TEST_WRITE_GOLDENS"


def check_golden(name: str, text: str) -> None:
    """
    Compare a text with `tests/goldens/{name}`, byte for byte but for one line break at the end.

    With `ONEIRIC_TEST_WRITE_GOLDENS=1` the file is written instead; CI never does that.

    Raises:
        AssertionError: They differ, or there is no such golden.
    """
    path = GOLDENS / name
    if os.environ.get(WRITE_VARIABLE) == "1" and not os.environ.get("CI"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")
    assert path.is_file(), f"there is no golden {name}: {WRITE_VARIABLE}=1 writes it"
    stored = path.read_text("utf-8").removesuffix("\n")
    assert text == stored, f"the text differs from the golden {name}; {WRITE_VARIABLE}=1 writes it anew"
