"""Where an application's configuration comes from: files, environment and flags, read once and turned into layers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from oneiric.containers.layers import LayerContainer
from oneiric.core.errors import InvalidValue
from oneiric.core.origins import EnvOrigin, FlagOrigin, Origin
from oneiric.core.profiles import DEFAULT, Profile, find_profile
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
    """

    profile: str | None = None
    config: str | None = None
    env_file: str | None = None
    select: Sequence[str] = ()
    settings: Sequence[str] = ()
    environ: Mapping[str, str] | None = None
    folder: Path | None = None


class Configuration(NamedTuple):
    """What was read: the profile in force, the files low to high, and what environment and flags say."""

    profile: Profile
    files: tuple[ConfigFile, ...]
    user_file: ConfigFile | None
    env: Tables
    flags: Tables

    def layers(self, profile: Profile) -> Iterable[LayerContainer]:
        """Return the layers these sources make under a profile."""
        yield self.profile_layer(profile)
        if self.env.select or self.env.settings:
            yield LayerContainer.of("env", self.env)
        if self.flags.select or self.flags.settings:
            yield LayerContainer.of("explicit", self.flags)

    def profile_layer(self, profile: Profile) -> LayerContainer:
        """Return layer `profile` under a profile: the base tables of each file, and above them the profile's own."""
        files = [*([self.user_file] if self.user_file and profile.user_file else []), *self.files]
        tables = Tables()
        for file in files:
            tables = file.tables(profile.name).over(tables)
        return LayerContainer.of("profile", tables)


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
    env_file, env_by = _first((inputs.env_file, FlagOrigin("--env-file")), _variable("ENV_FILE", environ))
    below = read_env_file(folder / env_file, origin=env_by) if env_file else {}
    named, named_by = _first((inputs.config, FlagOrigin("--config")), _variable("CONFIG", environ, below))
    user_file = None
    if named:
        files = [read_config(folder / named, shown=named, origin=named_by)]
    else:
        own = folder / CONFIG_FILE
        files = [read_config(own, shown=CONFIG_FILE)] if own.is_file() else []
        user_file = _read_user_file(environ)
    return Configuration(
        profile=_profile(inputs, _variable("PROFILE", environ, below), files),
        files=tuple(files),
        user_file=user_file,
        env=read_env(environ, below),
        flags=read_flags(inputs.select, inputs.settings),
    )


def _read_user_file(environ: Mapping[str, str]) -> ConfigFile | None:
    """Read the user's own file, `$XDG_CONFIG_HOME/oneiric/oneiric.toml`, if there is one."""
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    path = Path(home, "oneiric", CONFIG_FILE)
    return read_config(path) if home and path.is_file() else None


def _profile(inputs: Inputs, variable: _Named, files: Sequence[ConfigFile]) -> Profile:
    """Decide the profile: flag, then variable, then the top of the file, then `default`."""
    said: Said | None = next((file.profile for file in reversed(files) if file.profile is not None), None)
    if said is not None and not isinstance(said.value, str):
        raise InvalidValue("profile", "the name of a profile is a text", origin=said.origin)
    name, origin = _first(
        (inputs.profile, FlagOrigin(f"--profile {inputs.profile}")),
        variable,
        (said.value, said.origin) if said is not None else (None, None),
    )
    return find_profile(name, origin=origin) if name else DEFAULT


def _first(*said: _Named) -> _Named:
    """Return the first that says anything, with its origin."""
    return next((item for item in said if item[0]), (None, None))


def _variable(name: str, environ: Mapping[str, str], below: Mapping[str, Said] = MappingProxyType({})) -> _Named:
    """Return what a variable that is no setting says, in the environment or else in an env file; case is ignored."""
    real = {spelled: Said(value, EnvOrigin(spelled)) for spelled, value in environ.items()}
    said = (item for source in (real, below) for spelled, item in source.items() if spelled.upper() == PREFIX + name)
    return _first(*((item.value, item.origin) for item in said))
