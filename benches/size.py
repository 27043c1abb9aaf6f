"""What an installation without extras takes on the disk; a report, not a speed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from benches.rows import Row
from benches.timing import Effort

BUDGET_MB = 60.0
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the row of the core's size, in MB of 1,000,000 bytes, compiled files left out."""
    sizes = {name: _mb(found) for name, found in core().items()}
    largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:4]
    parts = ", ".join(f"{name} {sizes[name]:.1f}" for name in largest)
    yield Row("core install, MB", sum(sizes.values()), BUDGET_MB, f"a report: {len(sizes)} packages; {parts}")


def core() -> dict[str, Distribution]:
    """Return Oneiric and all that it needs without extras, by name."""
    found: dict[str, Distribution] = {}
    work = ["oneiric"]
    while work:
        name = re.sub(r"[-_.]+", "-", work.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # a requirement of another platform or an older Python
            continue
        work += [_name(line) for line in found[name].requires or () if "extra ==" not in line]
    return found


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    assert match is not None
    return match[0]


def _mb(found: Distribution) -> float:
    files = [file.locate() for file in found.files or () if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in map(Path, map(str, files)) if path.is_file()) / 1e6
