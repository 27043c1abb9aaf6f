"""Where a binding or a value came from: one small frozen class per kind of source."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

Kind = Literal["code", "file", "env", "envfile", "override", "cli"]


class Origin:
    """
    One place a person can go and look at.

    `str(origin)` is what texts show; `fields()` is what JSON shows. Both hold names and places only, never a value.
    """

    __slots__ = ()
    kind: ClassVar[Kind]

    def fields(self) -> dict[str, str | int | None]:
        """Return the kind and its own fields, ready for JSON."""
        names: tuple[str, ...] = self.__slots__
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class CodeOrigin(Origin):
    """A line of Python: `at` is `module:line`, or `module` where no line is known."""

    kind: ClassVar[Kind] = "code"
    at: str

    def __str__(self) -> str:
        return self.at


@dataclass(frozen=True, slots=True)
class OverrideOrigin(Origin):
    """The line that made an explicit override: `at` is `module:line`."""

    kind: ClassVar[Kind] = "override"
    at: str

    def __str__(self) -> str:
        return f"override at {self.at}"


@dataclass(frozen=True, slots=True)
class FileOrigin(Origin):
    """
    A key of a TOML file.

    The line is looked up when somebody asks, so that starting an application pays nothing for it.
    `path` is as the person wrote it; `key` is the dotted path inside the file, with a quoted part where it holds dots.
    """

    kind: ClassVar[Kind] = "file"
    path: str
    key: str

    @property
    def line(self) -> int | None:
        """The line that sets `key`, counted from 1; None if the file changed or went away since."""
        try:
            text = Path(self.path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return _line_of(text, self.key)

    def fields(self) -> dict[str, str | int | None]:
        """Return path, line and key, ready for JSON."""
        return {"kind": self.kind, "path": self.path, "line": self.line, "key": self.key}

    def __str__(self) -> str:
        line = self.line
        return self.path if line is None else f"{self.path}:{line}"


@dataclass(frozen=True, slots=True)
class EnvOrigin(Origin):
    """An environment variable, by its name."""

    kind: ClassVar[Kind] = "env"
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class EnvFileOrigin(Origin):
    """A variable in the env file that `--env-file` or `ONEIRIC_ENV_FILE` named; `line` counts from 1."""

    kind: ClassVar[Kind] = "envfile"
    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.path}:{self.line})"


@dataclass(frozen=True, slots=True)
class FlagOrigin(Origin):
    """A command line flag, as the person gave it: `--select cache=redis`."""

    kind: ClassVar[Kind] = "cli"
    flag: str

    def __str__(self) -> str:
        return self.flag


def caller(depth: int = 1) -> str:
    """
    Return `module:line` of a calling frame.

    Args:
        depth: How many frames above the caller of this function to look, 0 or more.
    """
    frame = sys._getframe(depth + 1)
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno}"


def defined_at(thing: object) -> str:
    """Return `module:line` of a function, or `module` of a class or any other object."""
    module = getattr(thing, "__module__", None) or type(thing).__module__
    code = getattr(thing, "__code__", None)
    return f"{module}:{code.co_firstlineno}" if code is not None else str(module)


def _line_of(text: str, key: str) -> int | None:
    """Find the line of a dotted key; tables, dotted keys and inline tables are followed, values are not read."""
    wanted = tuple(split_key(key))
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None  # (parts matched, line)
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("["):
            table = tuple(split_key(line.strip("[]").split("]")[0]))
            path = table
        elif "=" in line and not line.startswith("#"):
            path = (*table, *split_key(line.split("=", 1)[0]))
        else:
            continue
        if path == wanted[: len(path)] and (best is None or len(path) > best[0]):
            best = (len(path), number)
    return best[1] if best else None


def split_key(text: str) -> list[str]:
    """Split a dotted TOML key; a quoted part keeps its dots: `select."cache.sessions"` has two parts."""
    parts, current, quote = [], "", ""
    for char in text.strip():
        if quote:
            if char == quote:
                quote = ""
            else:
                current += char
        elif char in "\"'":
            quote = char
        elif char == ".":
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [*parts, current.strip()]
