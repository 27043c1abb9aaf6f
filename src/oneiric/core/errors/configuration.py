"""A name, a setting, a file or an address that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from oneiric.core.errors.problem import Refused, nearest
from oneiric.core.origins import Origin

OTHER_VARIABLES = ("app", "config", "env_file", "log_level", "profile")  # ONEIRIC_PROFILE: read, and no settings


class UnknownKey(Refused):
    """A setting that nothing reads; a warning unless the check is strict."""

    code = "unknown-key"

    def __init__(self, key: str, *, known: Iterable[str], origin: Origin | None = None) -> None:
        self.key = key
        is_variable = origin is not None and origin.kind in {"env", "envfile"}
        near = nearest(key, (*known, *OTHER_VARIABLES) if is_variable else known)
        names = [f"ONEIRIC_{name.upper().replace('.', '__')}" for name in near] if is_variable else near
        fix = f"did you mean {' or '.join(names)}?" if names else "oneiric explain SLOT lists what a slot reads"
        super().__init__(f'nothing reads the setting "{key}"', origin=origin, fixes=(fix,))


class InvalidName(Refused):
    """A name that breaks its grammar, or that is taken by the framework."""

    code = "invalid-name"

    def __init__(self, name: str, why: str, **where: Any) -> None:
        self.name = name
        where.setdefault("fixes", ("use lower-case segments such as cache.sessions: letters, digits, underscores",))
        super().__init__(f'"{name}" cannot be a name here: {why}', **where)


class DuplicateName(Refused):
    """The same name declared twice."""

    code = "duplicate-name"

    def __init__(self, kind: str, name: str, *, first: str, origin: Origin | None = None) -> None:
        self.name = name
        super().__init__(
            f'{kind} "{name}" is declared twice; first at {first}',
            origin=origin,
            fixes=("give one of them another name",),
        )


class DuplicateSubscription(DuplicateName):
    """Two event handlers under one name."""

    code = "duplicate-subscription"


class InvalidValue(Refused):
    """The winning value of a setting does not fit its type or range. The value itself is never shown."""

    code = "invalid-value"

    def __init__(self, key: str, why: str, **where: Any) -> None:
        self.key, self.why = key, why
        origin = where.get("origin")
        where.setdefault("fixes", (f"give {key} a value that fits",))
        super().__init__(f"{key}: {why}" + (f" (set by {origin})" if origin else ""), **where)


class InvalidDirective(Refused):
    """A map holds a directive such as `$append` beside other keys, or one that does not exist."""

    code = "invalid-directive"

    def __init__(self, key: str, why: str, *, origin: Origin | None = None) -> None:
        self.key, self.why = key, why
        super().__init__(
            f"{key}: {why}",
            origin=origin,
            fixes=("a directive stands alone in its map: $append, $prepend, $remove, $replace or $unset",),
        )


class MissingRequired(Refused):
    """A setting that must have a value has none."""

    code = "missing-required"

    def __init__(self, key: str, tried: Iterable[str], *, origin: Origin | None = None) -> None:
        self.key = key
        places = "; ".join(tried)
        variable = f"ONEIRIC_{key.upper().replace('-', '_').replace('.', '__')}"
        super().__init__(
            f"{key}: it must have a value, and nobody gives one" + (f" ({places})" if places else ""),
            origin=origin,
            fixes=(f"{variable}=...", f"set {key} in oneiric.toml below [settings]"),
        )


class InvalidShadowed(Refused):
    """A warning: a value that does not fit is hidden by a higher layer, and would fail without it."""

    code = "invalid-shadowed"

    def __init__(self, key: str, why: str, *, origin: Origin | None = None) -> None:
        self.key = key
        super().__init__(
            f"{key}: {why} (set by {origin}; a higher layer hides it)",
            origin=origin,
            fixes=("correct it, or take it out",),
        )


class DuplicateEnv(Refused):
    """Two environment variables that differ only in case."""

    code = "duplicate-env"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            f"the environment variables {' and '.join(names)} name the same thing",
            fixes=(f"unset {names[-1]}",),
        )


class ConfigNotFound(Refused):
    """A configuration file that was named does not exist or cannot be read."""

    code = "config-not-found"

    def __init__(self, path: str, *, why: str = "there is no such file", origin: Origin | None = None) -> None:
        super().__init__(f"cannot read {path}: {why}", origin=origin, fixes=("name a file that can be read",))


class AppNotImportable(Refused):
    """A `module:attribute` reference that does not lead to an application or an object."""

    code = "app-not-importable"

    def __init__(self, reference: str, why: str, *, fixes: Sequence[str] = ()) -> None:
        self.reference, self.why = reference, why
        super().__init__(
            f'cannot load "{reference}": {why}' if reference else f"no application is named: {why}",
            fixes=fixes or ("--app package.module:app", "--app-dir FOLDER puts a folder on the import path"),
        )


class BadOption(Refused):
    """A command line that cannot be understood: an unknown command or option, or a value that does not fit."""

    code = "bad-option"

    def __init__(self, why: str, *, command: str) -> None:
        super().__init__(f"{command}: {why}", fixes=(f"{command} --help",))


class InvalidPort(Refused):
    """A port that is not a number from 0 to 65535."""

    code = "invalid-port"

    def __init__(self, text: str, *, origin: Origin | None) -> None:
        super().__init__(f'"{text[:40]}" is no port', origin=origin, fixes=("give a number from 0 to 65535",))


class PortInUse(Refused):
    """Another process listens on the port, or it may not be bound."""

    code = "port-in-use"

    def __init__(self, host: str, port: int, why: str) -> None:
        self.host, self.port = host, port
        is_denied = why == "permission denied"  # ports below 1024 are for a privileged user
        fixes = ("--port NUMBER, 1024 or more",) if is_denied else ("--port NUMBER", "stop the other process")
        super().__init__(f"cannot listen on {host}:{port}: {why}", fixes=fixes)
