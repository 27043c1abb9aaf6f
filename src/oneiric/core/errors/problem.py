"""What every error is made of: the plain `Problem`, and the base classes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from oneiric.core.log import without_secrets
from oneiric.core.origins import Origin


class Problem(NamedTuple):
    """One fault as plain data: what commands print as JSON and what an explanation holds."""

    code: str
    message: str
    path: tuple[str, ...] = ()
    origin: Origin | None = None
    fixes: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:  # JSON
        """Return the problem ready for JSON."""
        return {
            "code": self.code,
            "message": without_secrets(self.message),
            "path": list(self.path),
            "origin": self.origin.fields() if self.origin else None,
            "fixes": list(self.fixes),
        }

    def text(self, label: str = "error", notes: Sequence[str] = (), shown: Callable[[str], str] = str) -> str:
        """
        Return the block a person reads: code and message, the path from the root, further notes, the fixes.

        Args:
            label: `error` or `warning`.
            notes: Lines between the origin and the fixes.
            shown: Applied to every line, so that it can take out what is not for a terminal.
        """
        lines = [f"{label}[{self.code}] {without_secrets(self.message)}"]
        if self.path:
            lines.append(f"  needed by  {' -> '.join(self.path)}")
        if self.origin is not None:
            lines.append(f"  origin     {self.origin}")
        lines += [f"  {note}" for note in notes]
        if self.fixes:
            lines.append(f"  fix: {'   or   '.join(self.fixes)}")
        return "\n".join(map(shown, lines))


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return the known names that look most like `name`, best first, at most `most` of them."""
    return tuple(difflib.get_close_matches(name, list(known), n=most, cutoff=0.5))


def did_you_mean(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return fixes for a name that is unknown: the nearest ones, or all of them where none is near."""
    names = sorted(known)
    near = nearest(name, names)
    if near:
        return (f"did you mean {' or '.join(near)}?",)
    return (f"choose one of: {', '.join(names[:20])}",) if names else ()


def install_line(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'oneiric[{extra}]'"


class OneiricError(Exception):
    """
    Base of all: says what failed in the user's own names, why, and what to do.

    Args:
        message: One sentence with the names the user gave.
        path: Who needed it, from the root down.
        origin: Where the value at fault came from.
        fixes: What to do about it; each stands alone.
    """

    code: ClassVar[str] = "oneiric-error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, path: Sequence[str] = (), origin: Origin | None = None, fixes: Sequence[str] = ()
    ) -> None:
        self.message = without_secrets(message)
        super().__init__(self.message)
        self.path = tuple(path)
        self.origin = origin
        self.fixes = tuple(fixes)

    @property
    def problem(self) -> Problem:
        """The same as plain data."""
        return Problem(self.code, self.message, self.path, self.origin, self.fixes)

    def __str__(self) -> str:
        return self.problem.text()


class Refused(OneiricError):
    """Base of what cannot be: a command that meets one exits with 2."""

    code = "refused"
