"""
Profiles: a named order of layers, plus toggles. A profile is data; nothing else in Oneiric asks for its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from oneiric.core.errors import InvalidValue, UnknownProfile
from oneiric.core.errors.problem import did_you_mean, nearest
from oneiric.core.origins import Origin
from oneiric.core.sources import quoted

LAYERS = ("code", "profile", "secrets", "manifest", "env", "explicit")
RANK_STEP = 10
LIKE = "like"
NO_TOGGLES = ("select", "settings", "deny")  # tables of `[profiles.NAME]` that are read for the profile in force
SWITCHES = ("watch", "remote", "background", "user_file", "public", "json_logs", "plaintext_secrets", "local")
ON_SECRET_OUTAGE = "on_secret_outage"

FallOrFail = Literal["fall", "fail"]
OriginOf = Callable[[str], Origin]
Definitions = Mapping[str, Mapping[str, Any]]  # by the name of a profile, whatever its TOML table can hold


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One way to run: which layers speak, in which order, and what is allowed.

    Attributes:
        name: What `--profile` takes.
        order: The layers that speak, low to high. A layer that is not in it stays silent.
        watch: Changed files may change the running application.
        remote: A manifest may be fetched; without it only the one packed in the build counts.
        background: Work between requests is allowed.
        user_file: The user's own configuration file is read.
        public: Listen on every address of the machine by default, not only on loopback.
        json_logs: Log lines are JSON even on a terminal.
        on_secret_outage: Whether a store that cannot be reached lets the next layer answer.
        plaintext_secrets: A manifest may hold a secret in plain text, with a warning.
        local: The process has the machine to itself: activity is kept in a file, and its user commands it by a socket.
        default_store: The adapter that fills slot `secrets` when nobody chooses; None leaves it to the ranking.
        own_store: The secret store is a fake that layer `explicit` binds; one that is configured is not read.
    """

    name: str
    order: tuple[str, ...]
    watch: bool
    remote: bool
    background: bool
    user_file: bool
    public: bool
    json_logs: bool
    on_secret_outage: FallOrFail
    plaintext_secrets: bool
    local: bool
    default_store: str | None
    own_store: bool

    def rank(self, layer: str) -> int | None:
        """Return the layer's place in the order, higher wins; None if the layer is silent in this profile."""
        return (self.order.index(layer) + 1) * RANK_STEP if layer in self.order else None


DEFAULT = Profile(
    name="default",
    order=("code", "profile", "secrets", "manifest", "env", "explicit"),
    watch=True,
    remote=True,
    background=True,
    user_file=True,
    public=False,
    json_logs=False,
    on_secret_outage="fall",
    plaintext_secrets=True,
    local=True,
    default_store=None,
    own_store=False,
)
SERVERLESS = Profile(
    name="serverless",
    order=("code", "profile", "manifest", "env", "secrets", "explicit"),
    watch=False,
    remote=False,
    background=False,
    user_file=False,
    public=True,
    json_logs=True,
    on_secret_outage="fail",
    plaintext_secrets=False,
    local=False,
    default_store=None,
    own_store=False,
)
SYSTEMD = Profile(
    name="systemd",
    order=("code", "profile", "manifest", "env", "secrets", "explicit"),
    watch=True,
    remote=True,
    background=True,
    user_file=True,
    public=False,
    json_logs=True,
    on_secret_outage="fail",
    plaintext_secrets=False,
    local=True,
    default_store="file",
    own_store=False,
)
TEST = Profile(
    name="test",
    order=("code", "profile", "manifest", "explicit"),
    watch=False,
    remote=False,
    background=True,
    user_file=False,
    public=False,
    json_logs=False,
    on_secret_outage="fail",
    plaintext_secrets=False,
    local=False,
    default_store=None,
    own_store=True,
)
BUILT_IN = {profile.name: profile for profile in (DEFAULT, SERVERLESS, SYSTEMD, TEST)}
NONE_DEFINED: Mapping[str, Profile] = MappingProxyType({})


def find_profile(name: str, *, origin: Origin | None = None, defined: Mapping[str, Profile] = NONE_DEFINED) -> Profile:
    """
    Return a profile by its name.

    Args:
        name: What was asked for.
        origin: Who asked for it.
        defined: Profiles besides those that are built in, see `define_profiles`.

    Raises:
        UnknownProfile: No profile has that name; never a silent default.
    """
    found = BUILT_IN.get(name) or defined.get(name)
    if found is None:
        raise UnknownProfile(name, known=known_names(defined), origin=origin)
    return found


def known_names(defined: Mapping[str, Profile] = NONE_DEFINED) -> Iterable[str]:
    """Return the names of all profiles, sorted."""
    return sorted({*BUILT_IN, *defined})


def define_profiles(tables: Definitions, origin_of: OriginOf) -> dict[str, Profile]:
    """
    Return the profiles that tables such as `[profiles.staging]` define, each with the order of the one it is like.

    Toggles are inherited along `like`; the tables `select`, `settings` and `deny` are not, each profile reads its own.
    A table that is neither built in nor has a `like` defines nothing.

    Args:
        tables: The table of each profile by its name, as a configuration file holds them.
        origin_of: Returns the place of a key such as `profiles.staging.like`.

    Raises:
        InvalidValue: A profile that is built in is changed, a toggle does not exist or has no such value, an order is
            given, or profiles are like each other in a circle.
        UnknownProfile: `like` names a profile that does not exist.
    """
    for name, table in tables.items():
        _check(name, table, origin_of)
    likes = {name: table[LIKE] for name, table in tables.items() if LIKE in table}
    return {name: _define(name, likes, tables, origin_of) for name in likes}


def _check(name: str, table: Mapping[str, object], origin_of: OriginOf) -> None:
    """Refuse what a profile's table cannot say."""
    for key, value in table.items():
        if key not in NO_TOGGLES and (found := _fault(name, key, value)) is not None:
            why, fixes = found
            where = f"profiles.{quoted(name)}.{quoted(key)}"
            raise InvalidValue(where, why, origin=origin_of(where), fixes=fixes)


def _fault(name: str, key: str, value: object) -> tuple[str, tuple[str, ...]] | None:
    """Return why a profile cannot say so, and what to do; None if it can."""
    toggles = (LIKE, *SWITCHES, ON_SECRET_OUTAGE)
    if key == "order":
        return "a profile has no order of its own", ('like = "serverless" gives it the order of that one',)
    if key not in toggles:
        known = (*toggles, *NO_TOGGLES)
        return "no profile has such a toggle", did_you_mean(key, nearest(key, known, most=1) or known)
    if name in BUILT_IN:
        fix = f'define your own: [profiles.my-{name}] with like = "{name}" and what differs'
        return f"{name} is built in, and stays as it is", (fix,)
    if key == LIKE:
        return None if isinstance(value, str) else ("the name of a profile is a text", ('like = "serverless"',))
    if key == ON_SECRET_OUTAGE:
        is_fit, choices = value in get_args(FallOrFail), '"fall" or "fail"'
    else:
        is_fit, choices = isinstance(value, bool), "true or false"
    return None if is_fit else (f"it is {choices}", (f"{key} = {choices}",))


def _define(name: str, likes: Mapping[str, str], tables: Definitions, origin_of: OriginOf) -> Profile:
    """Follow `like` down to a profile that is built in, and lay the toggles of those on the way over it."""
    chain = [name]
    while (like := likes[chain[-1]]) in likes:
        if like in chain:
            where = f"profiles.{quoted(chain[-1])}.{LIKE}"
            raise InvalidValue(where, f"{' -> '.join([*chain, like])} is a circle", origin=origin_of(where))
        chain.append(like)
    if like not in BUILT_IN:
        where, known = f"profiles.{quoted(chain[-1])}.{LIKE}", {*BUILT_IN, *likes} - {chain[-1]}
        raise UnknownProfile(like, known=known, origin=origin_of(where))
    profile = BUILT_IN[like]
    for link in reversed(chain):
        own = {key: value for key, value in tables[link].items() if key not in {LIKE, *NO_TOGGLES}}
        profile = replace(profile, name=link, **own)
    return profile
