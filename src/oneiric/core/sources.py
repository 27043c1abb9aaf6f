"""The sources of configuration: TOML files, environment variables and flags, read into plain tables with origins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.core.errors import ConfigNotFound, DuplicateEnv, InvalidValue
from oneiric.core.log import refuse_pickle
from oneiric.core.origins import EnvFileOrigin, EnvOrigin, FileOrigin, FlagOrigin, Origin

PREFIX = "ONEIRIC_"
RESERVED = frozenset({"PROFILE", "CONFIG", "APP", "ENV_FILE", "LOG_LEVEL"})
RESERVED_PREFIX = "TEST_"
CONFIG_FILE = "oneiric.toml"
UNSET = "@unset"
UNSET_KEY = "$unset"
DIRECTIVE = "$"  # what the name of every directive begins with


class Said(NamedTuple):  # made for every word of every layer, twice as fast as a frozen dataclass
    """
    One thing a layer says.

    Attributes:
        value: What it says; always text where `text` is true.
        origin: Where it says so.
        text: The value comes as text and is parsed by the declared type of the field.
    """

    value: Any  # whatever a TOML file can hold
    origin: Origin
    text: bool = False

    def __repr__(self) -> str:
        return f"<said at {self.origin!r}>"  # the value may be a secret, and stays out of every text

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickle(self)

    @property
    def is_empty(self) -> bool:
        """An environment variable that is set to nothing: it does not count."""
        return self.text and self.value == ""


@dataclass(slots=True)
class Tables:
    """
    What one source says: adapters for slots, values for settings, and what the profile denies.

    Attributes:
        select: Adapter name by slot name.
        settings: Value by dotted key; a table of a file stands here as its leaves.
        deny: By slot name, the denied adapters with the place that denies them.
    """

    select: dict[str, Said] = field(default_factory=dict)
    settings: dict[str, Said] = field(default_factory=dict)
    deny: dict[str, dict[str, Origin]] = field(default_factory=dict)


class ConfigFile(NamedTuple):
    """One TOML file, parsed; `path` is as the person wrote it, `place` where it was read."""

    path: str
    document: Mapping[str, Any]
    place: str = ""

    def __repr__(self) -> str:
        return f"<file {self.path}>"

    def origin(self, key: str) -> FileOrigin:
        """Return the place of a key of this file."""
        return FileOrigin(self.path, key, self.place)

    @property
    def profile(self) -> Said | None:
        """The profile that the top of the file names."""
        name = self.document.get("profile")
        return None if name is None else Said(name, self.origin("profile"))

    @property
    def profiles(self) -> Mapping[str, Any]:
        """The tables `[profiles.NAME]`, by name. Raises InvalidValue if one is no table."""
        found = self._table(self.document, "profiles")
        for name in found:
            self._table(found, name, "profiles.")
        return found

    def tables(self, profile: str) -> Iterator[Tables]:
        """
        Yield what the file says under a profile: its base tables, then those of `[profiles.NAME]`, which stand above.

        Raises:
            InvalidValue: A table is no table, or a selection is no text.
        """
        yield self._read(self.document, "")
        if profile in self.profiles:
            yield self._read(self.profiles[profile], f"profiles.{profile}.")

    def _read(self, document: Mapping[str, Any], prefix: str) -> Tables:
        tables = Tables()
        for slot, name in self._table(document, "select", prefix).items():
            origin = self.origin(f"{prefix}select.{quoted(slot)}")
            tables.select[slot] = selected(slot, name, origin)
        for path, value in leaves(self._table(document, "settings", prefix)):
            origin = self.origin(prefix + ".".join(["settings", *map(quoted, path)]))
            tables.settings[dotted(path)] = Said(value, origin)
        for slot, names in self._table(document, "deny", prefix).items():
            origin = self.origin(f"{prefix}deny.{quoted(slot)}")
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InvalidValue(f"deny.{slot}", "a list of adapter names", origin=origin)
            tables.deny[slot] = dict.fromkeys(names, origin)
        return tables

    def _table(self, document: Mapping[str, Any], name: str, prefix: str = "") -> Mapping[str, Any]:
        table = document.get(name, {})
        if not isinstance(table, Mapping):
            raise InvalidValue(f"{prefix}{name}", "this is a table", origin=self.origin(f"{prefix}{name}"))
        return table


def selected(slot: str, name: object, origin: Origin) -> Said:
    """
    Return a choice of an adapter for a slot: its name, or `{"$unset": true}`, which masks the layers below.

    Raises:
        InvalidValue: It is neither.
    """
    if isinstance(name, str):
        return Said(name, origin)
    if name == {UNSET_KEY: True}:
        return Said(UNSET, origin, text=True)
    raise InvalidValue(f"select.{slot}", "the name of an adapter is a text", origin=origin)


def read_config(path: Path, *, shown: str | None = None, origin: Origin | None = None) -> ConfigFile:
    """
    Read one TOML file.

    Args:
        path: The file.
        shown: How origins name it; as given by default.
        origin: Who named the file, for the error.

    Raises:
        ConfigNotFound: It does not exist, cannot be read or is no TOML; the message holds the line, not the content.
    """
    import tomllib  # only where there is a file to read

    name = shown or str(path)
    try:
        return ConfigFile(name, tomllib.loads(path.read_text("utf-8")), str(path))
    except FileNotFoundError:
        raise ConfigNotFound(name, origin=origin) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigNotFound(name, why=unreadable(error), origin=origin) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigNotFound(name, why=f"it is no TOML: {error}", origin=origin) from None


def unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Say why a file could not be read, in words and without what is in it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return (error.strerror or type(error).__name__).lower()


def read_env_file(path: Path, *, origin: Origin | None = None) -> dict[str, Said]:
    """
    Read `NAME=value` lines; blank lines and comments (`#`) are passed over, quotes around a value are taken off.

    Raises:
        ConfigNotFound: It does not exist or cannot be read.
        InvalidValue: A line has no `=`; the message names the line and holds nothing of it.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigNotFound(str(path), why=unreadable(error), origin=origin) from None
    found: dict[str, Said] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            raise InvalidValue(f"{path}:{number}", "a line is NAME=value", origin=origin)
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name] = Said(value, EnvFileOrigin(str(path), number, name), text=True)
    return found


def read_env(environ: Mapping[str, str], below: Mapping[str, Said] | None = None) -> Tables:
    """
    Read `ONEIRIC_SELECT__…` and `ONEIRIC_A__B__C` variables.

    Args:
        environ: The environment.
        below: Variables of an env file, which real ones hide.

    Raises:
        DuplicateEnv: Two variables are equal but for case.
    """
    said = {
        name: Said(value, EnvOrigin(name), text=True)
        for name, value in environ.items()
        if name.upper().startswith(PREFIX)
    }
    real = {name.upper() for name in said}
    said |= {
        name: item
        for name, item in (below or {}).items()
        if name.upper().startswith(PREFIX) and name.upper() not in real
    }
    seen: dict[str, str] = {}
    tables = Tables()
    for name in sorted(said):
        if (first := seen.setdefault(name.upper(), name)) != name:
            raise DuplicateEnv([first, name])
        rest = name[len(PREFIX) :]
        if rest.upper() in RESERVED or rest.upper().startswith(RESERVED_PREFIX):
            continue
        parts = [part.lower() for part in rest.split("__")]
        if parts[0] == "select":
            tables.select[".".join(parts[1:])] = said[name]
        else:
            tables.settings[".".join(parts)] = said[name]
    return tables


def read_flags(select: Sequence[str] = (), settings: Sequence[str] = ()) -> Tables:
    """
    Read `--select SLOT=ADAPTER` and `--set KEY=VALUE`.

    Raises:
        InvalidValue: A flag has no `=`.
    """
    tables = Tables()
    for flag, given, table in (("--select", select, tables.select), ("--set", settings, tables.settings)):
        for text in given:
            name, equals, value = text.partition("=")
            shown = f"{flag} {name}={value}" if flag == "--select" else f"{flag} {name}"
            if not equals or not name:
                form = "SLOT=ADAPTER" if flag == "--select" else "KEY=VALUE"
                raise InvalidValue(flag, f"it takes {form}", origin=FlagOrigin(flag), fixes=(f"{flag} {form}",))
            table[name] = Said(value, FlagOrigin(shown), text=True)
    return tables


def leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    """Yield every leaf of a nested table with its path; an empty table below the top, or one of directives, is one."""
    for name, value in table.items():
        if isinstance(value, Mapping) and value and not is_directive(value):
            yield from leaves(value, (*path, str(name)))
        else:
            yield (*path, str(name)), value


def is_directive(table: Mapping[str, Any]) -> bool:
    """Tell whether a table holds a directive such as `$append`, alone or by mistake beside other keys."""
    return any(isinstance(name, str) and name.startswith(DIRECTIVE) for name in table)


def dotted(path: Sequence[str]) -> str:
    """Return a path as a key; a slot's name, which comes first, keeps its dots, a later part with dots is quoted."""
    return ".".join((path[0], *map(quoted, path[1:])))


def quoted(part: str) -> str:
    """Return one part of a TOML key, in quotes where it holds a dot."""
    return f'"{part}"' if "." in part else part
