"""
Profiles: a named order of layers, plus toggles. A profile is data; nothing else in Oneiric asks for its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from oneiric.core.errors import UnknownProfile
from oneiric.core.origins import Origin

LAYERS = ("code", "profile", "secrets", "manifest", "env", "explicit")
RANK_STEP = 10

FallOrFail = Literal["fall", "fail"]


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
)
BUILT_IN = {profile.name: profile for profile in (DEFAULT, SERVERLESS, SYSTEMD, TEST)}


def find_profile(name: str, *, origin: Origin | None = None) -> Profile:
    """
    Return a profile by its name.

    Raises:
        UnknownProfile: No profile has that name; never a silent default.
    """
    try:
        return BUILT_IN[name]
    except KeyError:
        raise UnknownProfile(name, known=known_names(), origin=origin) from None


def known_names() -> Iterable[str]:
    """Return the names of all profiles, sorted."""
    return sorted(BUILT_IN)
