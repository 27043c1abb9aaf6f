"""Where a binding or a value came from: one small frozen class per kind of source."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

Kind = Literal["code", "file", "env", "envfile", "secret", "manifest", "override", "cli"]
# TOML 1.0, "String", "Comment", "Array": whatever may hold a line break, a bracket or "=" that structures nothing.
# Kept as texts, which `re` compiles when a line is looked for: that takes longer than importing this module.
_TOKEN = (
    r'"""(?:\\.|[^\\])*?"""+|'
    r"'''.*?'''+|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|#[^\n]*|[^\"'#\[\]{}\n]+|."
)
_NAME = r'(?:"(?:\\.|[^"\\])*"|\'[^\']*\'|[^="\'])*'


class Origin:
    """
    One place a person can go and look at. Equal places are equal; none is ever changed.

    `str(origin)` is what texts show; `fields()` is what JSON shows. Both hold names and places only, never a value.
    The classes below are written out, since a frozen dataclass each would take a millisecond of every start.
    """

    __slots__ = ()
    kind: ClassVar[Kind]

    def fields(self) -> dict[str, str | int | None]:
        """Return the kind and its own fields, ready for JSON."""
        return {"kind": self.kind, **self._said()}

    def _said(self) -> dict[str, str | int | None]:
        """Return what tells this place from others of its kind."""
        names: tuple[str, ...] = self.__slots__
        return {name: getattr(self, name) for name in names}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and (self.kind, self._said()) == (other.kind, other._said())

    def __hash__(self) -> int:
        return hash((self.kind, *self._said().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._said().items())})"


class CodeOrigin(Origin):
    """A line of Python: `at` is `module:line`, or `module` where no line is known."""

    __slots__ = ("at",)
    kind: ClassVar[Kind] = "code"

    def __init__(self, at: str) -> None:
        self.at = at

    def __str__(self) -> str:
        return self.at


class OverrideOrigin(Origin):
    """The line that made an explicit override: `at` is `module:line`."""

    __slots__ = ("at",)
    kind: ClassVar[Kind] = "override"

    def __init__(self, at: str) -> None:
        self.at = at

    def __str__(self) -> str:
        return f"override at {self.at}"


class FileOrigin(Origin):
    """
    A key of a TOML file.

    The line is looked up when somebody asks, so that starting an application pays nothing for it.

    Args:
        path: The file as the person wrote it.
        key: The dotted path inside the file, with a quoted part where it holds dots.
        place: Where the file is read, if not at `path` as written.
    """

    __slots__ = ("key", "path", "place")
    kind: ClassVar[Kind] = "file"

    def __init__(self, path: str, key: str, place: str = "") -> None:
        self.path = path
        self.key = key
        self.place = place

    @property
    def line(self) -> int | None:
        """The line that sets `key`, counted from 1; None if the file changed or went away since."""
        try:
            text = Path(self.place or self.path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return find_line(text, self.key)

    def fields(self) -> dict[str, str | int | None]:
        """Return path, line and key, ready for JSON."""
        return {"kind": self.kind, "path": self.path, "line": self.line, "key": self.key}

    def _said(self) -> dict[str, str | int | None]:
        return {"path": self.path, "key": self.key}

    def __str__(self) -> str:
        line = self.line
        return self.path if line is None else f"{self.path}:{line}"


class EnvOrigin(Origin):
    """An environment variable, by its name."""

    __slots__ = ("name",)
    kind: ClassVar[Kind] = "env"

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


class EnvFileOrigin(Origin):
    """A variable in the env file that `--env-file` or `ONEIRIC_ENV_FILE` named; `line` counts from 1."""

    __slots__ = ("path", "line", "name")  # noqa: RUF023  # in the order of the schema
    kind: ClassVar[Kind] = "envfile"

    def __init__(self, path: str, line: int, name: str) -> None:
        self.path = path
        self.line = line
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} ({self.path}:{self.line})"


class SecretOrigin(Origin):
    """
    A secret in a store.

    Args:
        provider: The store: `gcp`, or the type of an object that fills slot `secrets`.
        resource: The secret as the store calls it, such as `projects/p/secrets/db-password`.
        version: The version it was read at; None where the store was not asked, or has none.
    """

    __slots__ = ("provider", "resource", "version")
    kind: ClassVar[Kind] = "secret"

    def __init__(self, provider: str, resource: str, version: str | None = None) -> None:
        self.provider = provider
        self.resource = resource
        self.version = version

    def __str__(self) -> str:
        named = f"v{self.version}" if (self.version or "").isdecimal() else f"version {self.version}"
        return f"{self.provider} {self.resource}" + (f" {named}" if self.version else "")


class ManifestOrigin(Origin):
    """
    A key of a manifest.

    Args:
        name: The manifest's name.
        version: Its version.
        digest: The sha256 of its content, 64 hex digits; texts show the first four.
        trust: `inline` or `remote`.
        path: The file as the person wrote it.
        key: The key inside it: `select.cache`, `settings.cache.redis.host`.
        source: Where the key stood before it was packed: `oneiric.toml:7`; empty where that is not known.
        place: Where the file is read, if not at `path` as written.
    """

    __slots__ = ("digest", "key", "name", "path", "place", "source", "trust", "version")
    kind: ClassVar[Kind] = "manifest"

    def __init__(
        self,
        name: str,
        version: str,
        digest: str,
        trust: str,
        *,
        path: str = "",
        key: str = "",
        source: str = "",
        place: str = "",
    ) -> None:
        self.name, self.version, self.digest, self.trust = name, version, digest, trust
        self.path, self.key, self.source, self.place = path, key, source, place

    @property
    def line(self) -> int | None:
        """The line that sets the key, counted from 1; None where there is no file, or it changed since."""
        try:
            text = Path(self.place or self.path).read_text("utf-8") if self.path else ""
        except (OSError, UnicodeDecodeError):
            return None
        table, _, name = self.key.partition(".")
        return find_json_line(text, table, name)

    def _said(self) -> dict[str, str | int | None]:
        return {"name": self.name, "version": self.version, "digest": self.digest, "trust": self.trust, "key": self.key}

    def fields(self) -> dict[str, str | int | None]:
        """Return name, version, digest, trust and line, ready for JSON."""
        said = self._said()
        del said["key"]
        return {"kind": self.kind, **said, "line": self.line}

    def __str__(self) -> str:
        line = self.line
        place = self.path if line is None else f"{self.path}:{line}"
        packed = f"from {self.source}" if self.source else ""
        digest = f"sha256:{self.digest[:4]}.." if self.digest else ""
        head = f"{self.name}@{self.version}" if self.version else self.name
        return " ".join(part for part in (head, digest, f"({self.trust})", place, packed) if part)


class FlagOrigin(Origin):
    """A command line flag, as the person gave it: `--select cache=redis`."""

    __slots__ = ("flag",)
    kind: ClassVar[Kind] = "cli"

    def __init__(self, flag: str) -> None:
        self.flag = flag

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


def find_line(text: str, key: str) -> int | None:
    """Find the line that sets a dotted key; inside an inline table it is the table's, values are not read."""
    wanted = tuple(split_key(key))
    table: tuple[str, ...] = ()
    first_below: int | None = None  # a table may exist only by what stands in it
    for number, statement in _statements(text):
        if statement.startswith("["):
            table = path = tuple(split_key(statement.strip("[] \t")))
            is_inline = False
        else:
            name = re.match(_NAME, statement)[0]  # type: ignore[index]  # the pattern matches the empty text too
            path = (*table, *split_key(name))
            is_inline = statement[len(name) + 1 :].lstrip().startswith("{")
        if path == wanted or (is_inline and path == wanted[: len(path)]):
            return number
        if first_below is None and path[: len(wanted)] == wanted:
            first_below = number
    return first_below


def find_json_line(text: str, table: str, key: str) -> int | None:
    """Find the line of a key of a JSON document that has one key a line, as `manifest pack` writes it."""
    opened = False
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        opened |= said.startswith(json.dumps(table) + ":")
        if opened and said.startswith(json.dumps(key, ensure_ascii=False) + ":"):
            return number
    return None


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Walk the statements of a TOML document with their first lines; comments are left out."""
    number, first, depth, statement = 1, 1, 0, ""
    for match in re.finditer(_TOKEN, text + "\n", re.DOTALL):
        token = match[0]
        if token == "\n" and depth == 0:
            if statement.strip():
                yield first, statement.strip()
            first, statement = number + 1, ""
        elif not token.startswith("#"):
            statement += token
            depth = max(0, depth + (token in {"[", "{"}) - (token in {"]", "}"}))
        number += token.count("\n")


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
