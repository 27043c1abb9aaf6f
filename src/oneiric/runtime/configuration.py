"""Where an application's configuration comes from: files, environment and flags, read once and turned into layers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from oneiric.containers.layers import LayerContainer, says_the_same
from oneiric.core.config import evaluate
from oneiric.core.errors import ConfigNotFound, InvalidValue
from oneiric.core.log import log
from oneiric.core.origins import EnvOrigin, FlagOrigin, Origin, split_key
from oneiric.core.profiles import DEFAULT, Profile, define_profiles, find_profile
from oneiric.core.sources import (
    CONFIG_FILE,
    PREFIX,
    ConfigFile,
    Said,
    Tables,
    read_config,
    read_env,
    read_env_file,
    read_flags,
)
from oneiric.core.values import Field
from oneiric.core.words import Speaker, Words
from oneiric.remote.inline import inline_files, read_inline

_Named = tuple[str | None, Origin | None]  # what was said, and where


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    What a caller says about the configuration; all of it is optional.

    Attributes:
        profile: The profile's name; it wins over `ONEIRIC_PROFILE` and the file.
        config: The configuration file; it replaces `./oneiric.toml` and the user's own.
        env_file: A file of variables that stand below the real ones.
        select: `SLOT=ADAPTER`, as `--select` takes it.
        settings: `KEY=VALUE`, as `--set` takes it.
        environ: The environment; that of the process by default.
        folder: Where `oneiric.toml` is looked for; the working directory by default.
        manifest: The manifest of the build, a path or `package:NAME`; it wins over `remote.inline`.
    """

    profile: str | None = None
    config: str | None = None
    env_file: str | None = None
    select: Sequence[str] = ()
    settings: Sequence[str] = field(default=(), repr=False)  # these two may hold secrets
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    folder: Path | None = None
    manifest: str | None = None


class FileState(NamedTuple):
    """What tells whether a file is still the same one with the same content, without reading it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: str | Path) -> FileState | None:
        """Return the state of the file that a path leads to; None where it leads to none."""
        try:
            facts = os.stat(path)
        except OSError:
            return None
        return cls(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


class Configuration:
    """
    What was read, once.

    Attributes:
        profile: The profile in force.
        defined: The profiles that the files define, besides those that are built in.
        sources: The files that were looked for, each as it was when it was read; None where there was none.
    """

    def __init__(
        self,
        profile: Profile,
        defined: Mapping[str, Profile],
        files: Sequence[ConfigFile],
        user_file: ConfigFile | None,
        env: Tables,
        flags: Tables,
        *,
        manifest: str | None = None,
        folder: Path = Path(),
        sources: Mapping[Path, FileState | None] = MappingProxyType({}),
    ) -> None:
        self.profile, self.defined = profile, defined
        self._files, self._user_file, self._env, self._flags = tuple(files), user_file, env, flags
        self._manifest_flag, self._folder = manifest, folder
        self._manifests: dict[str | None, Tables | None] = {}
        self.sources = dict(sources)

    def succeed(self, before: Configuration) -> list[LayerContainer]:
        """
        Take the place of an earlier configuration, in the profile of that one, and return the layers.

        Raises:
            ConfigNotFound: A file that was there is gone, or holds nothing any more: somebody may be writing it.
            Refused: The manifest of the build cannot be used; see `read_inline`.
        """
        layers = self.layers(before.profile)
        for path, state in self.sources.items():
            old = before.sources.get(path)
            if old is not None and (state is None or (old.size and not state.size)):
                why = "it is gone" if state is None else "it is empty"
                raise ConfigNotFound(str(path), why=f"{why}, and what it said before stays in force")
        if self.profile != before.profile:
            log().warning("the profile does not change while the application runs", profile=before.profile.name)
        self.profile = before.profile
        return layers

    def files(self, profile: Profile) -> Iterable[ConfigFile]:
        """Return the files that are read in a profile, low to high."""
        return (self._user_file, *self._files) if self._user_file and profile.user_file else self._files

    def layers(self, profile: Profile) -> list[LayerContainer]:
        """
        Return the layers these sources make under a profile.

        Raises:
            Refused: The manifest of the build cannot be used; see `read_inline`.
        """
        below = self.file_layers(profile)
        above = [LayerContainer.of(name, said) for name, said in (("env", self._env), ("explicit", self._flags))]
        manifest = self._manifest(profile, [*below, *above])
        return [one for one in (*below, *manifest, *above) if one.bindings or one.settings or one.deny or one.ignored]

    def file_layers(self, profile: Profile) -> list[LayerContainer]:
        """Return layer `profile` in its parts: of each file the base tables, and above them those of the profile."""
        return [
            LayerContainer.of("profile", said) for file in self.files(profile) for said in file.tables(profile.name)
        ]

    def _manifest(self, profile: Profile, layers: Sequence[LayerContainer]) -> Iterable[LayerContainer]:
        """Return the manifest's layer; where it is, the other layers say, except the secret store."""
        ranked = [(rank, layer) for layer in layers if (rank := layer.rank(profile)) is not None]
        ranked.sort(key=lambda item: item[0])
        field = Field("remote.inline", str, default=None)
        value = evaluate(field, Words(Speaker(layer.name, layer.settings) for _, layer in ranked))
        origin: Origin | None = value.winner.origin if value.winner is not None and value.is_said else None
        said = value.value if isinstance(value.value, str) else None
        reference, named_by = _first((self._manifest_flag, FlagOrigin("--manifest")), (said, origin))
        if reference not in self._manifests:
            for path in inline_files(reference, self._folder):
                self.sources.setdefault(path.absolute(), FileState.of(path))
            found = read_inline(reference, self._folder, datetime.now(UTC), origin=named_by)
            tables = found.manifest.tables("inline", found.path, found.place) if found is not None else None
            self._manifests[reference] = tables
        manifest = self._manifests[reference]
        return [LayerContainer.of("manifest", manifest)] if manifest is not None else []


def changed_layers(
    before: Sequence[LayerContainer], after: Sequence[LayerContainer]
) -> tuple[list[LayerContainer], list[LayerContainer]]:
    """
    Return the layers that go and those that come.

    Layers of one name stay as they are, and where they are among others of that name, if all of them say the same.
    """
    go, come = list(before), list(after)
    for name in {layer.name for layer in before}:
        old, new = ([layer for layer in layers if layer.name == name] for layers in (before, after))
        if says_the_same(old, new):
            go, come = [one for one in go if one not in old], [one for one in come if one not in new]
    return go, come


def read_configuration(inputs: Inputs) -> Configuration:
    """
    Read files and environment, and decide the profile.

    Raises:
        UnknownProfile: The profile that was named does not exist; the error says who named it.
        ConfigNotFound: A named file cannot be read, or a file is no TOML.
        DuplicateEnv: Two variables are equal but for case.
        InvalidValue: A table has the wrong shape.
    """
    environ = os.environ if inputs.environ is None else inputs.environ
    folder = inputs.folder or Path()
    sources: dict[Path, FileState | None] = {}

    def seen(path: Path) -> Path:
        sources[path.absolute()] = FileState.of(path)
        return path

    env_file, env_by = _first((inputs.env_file, FlagOrigin("--env-file")), _variable("ENV_FILE", environ))
    below = read_env_file(seen(folder / env_file), origin=env_by) if env_file else {}
    named, named_by = _first((inputs.config, FlagOrigin("--config")), _variable("CONFIG", environ, below))
    user_file = None
    if named:
        files = [read_config(seen(folder / named), shown=named, origin=named_by)]
    else:
        own = seen(folder / CONFIG_FILE)
        files = [read_config(own, shown=CONFIG_FILE)] if own.is_file() else []
        user_file = _read_user_file(environ, seen)
    defined = _defined([*([user_file] if user_file else []), *files])
    return Configuration(
        _profile(inputs, _variable("PROFILE", environ, below), files, defined),
        defined,
        files,
        user_file,
        read_env(environ, below),
        read_flags(inputs.select, inputs.settings),
        manifest=inputs.manifest,
        folder=folder,
        sources=sources,
    )


def _read_user_file(environ: Mapping[str, str], seen: Callable[[Path], Path]) -> ConfigFile | None:
    """Read the user's own file, `$XDG_CONFIG_HOME/oneiric/oneiric.toml`, if there is one."""
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    path = Path(home, "oneiric", CONFIG_FILE)
    return read_config(path) if home and seen(path).is_file() else None


def _defined(files: Sequence[ConfigFile]) -> Mapping[str, Profile]:
    """Return the profiles that files define; a table of a later file replaces that of an earlier one."""
    held = {name: (file, table) for file in files for name, table in file.profiles.items()}

    def origin(key: str) -> Origin:
        return held[split_key(key)[1]][0].origin(key)

    return define_profiles({name: table for name, (_, table) in held.items()}, origin) if held else {}


def _profile(inputs: Inputs, variable: _Named, files: Sequence[ConfigFile], defined: Mapping[str, Profile]) -> Profile:
    """Decide the profile: flag, then variable, then the top of the file, then `default`."""
    said: Said | None = next((file.profile for file in reversed(files) if file.profile is not None), None)
    if said is not None and not isinstance(said.value, str):
        raise InvalidValue("profile", "the name of a profile is a text", origin=said.origin)
    name, origin = _first(
        (inputs.profile, FlagOrigin(f"--profile {inputs.profile}")),
        variable,
        (said.value, said.origin) if said is not None else (None, None),
    )
    return find_profile(name, origin=origin, defined=defined) if name else DEFAULT


def _first(*said: _Named) -> _Named:
    """Return the first that says anything, with its origin."""
    return next((item for item in said if item[0]), (None, None))


def _variable(name: str, environ: Mapping[str, str], below: Mapping[str, Said] = MappingProxyType({})) -> _Named:
    """Return what a variable that is no setting says, in the environment or else in an env file; case is ignored."""
    real = {spelled: Said(value, EnvOrigin(spelled)) for spelled, value in environ.items()}
    said = (item for source in (real, below) for spelled, item in source.items() if spelled.upper() == PREFIX + name)
    return _first(*((item.value, item.origin) for item in said))
