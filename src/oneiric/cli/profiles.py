"""What `oneiric profiles` answers: every profile beside the others, and where those stand that a file defines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from oneiric.cli.answers import application, inputs_of
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.tables import table
from oneiric.core.origins import Origin
from oneiric.core.profiles import BUILT_IN, DEFAULT, LAYERS, LIKE, Profile, known_names
from oneiric.core.sources import quoted
from oneiric.runtime.configuration import Configuration, read_configuration

IN_FORCE = "*"
OWN_STORE, ANY_STORE = "own", "by ranking"
TOGGLES = (  # the heading of each row, and the attribute of a profile that it shows
    ("watch", "watch"),
    ("remote", "remote"),
    ("background", "background"),
    ("user file", "user_file"),
    ("public", "public"),
    ("json logs", "json_logs"),
    ("on secret outage", "on_secret_outage"),
    ("plaintext secrets in a manifest", "plaintext_secrets"),
    ("local", "local"),
)


def profiles(options: Options) -> Reply:
    """Answer with every profile: those that are built in, and those that the files define. It needs no application."""
    if options.app is None:
        configuration = read_configuration(inputs_of(options))
        known = {**BUILT_IN, **configuration.defined}
        in_force = configuration.profile
    else:
        with application(options) as app:
            configuration = app.configure()
            known = dict(app.profiles())
            in_force = app.profile
    ordered = [known[name] for name in (*BUILT_IN, *(n for n in known_names(known) if n not in BUILT_IN))]
    places = {profile.name: _place(profile, configuration) for profile in ordered}
    rows = [_fields(profile, places[profile.name], is_in_force=profile == in_force) for profile in ordered]
    fields = answer("profiles", profile=in_force.name, profiles=rows)
    return Reply(fields, partial(_text, ordered, in_force, places))


def _place(profile: Profile, configuration: Configuration) -> Origin | None:
    """Return where a file defines a profile; None for one that is built in."""
    if profile.name not in configuration.defined:
        return None
    files = [file for file in configuration.files(DEFAULT) if LIKE in file.profiles.get(profile.name, {})]
    return files[-1].origin(f"profiles.{quoted(profile.name)}.{LIKE}")


def _fields(profile: Profile, place: Origin | None, *, is_in_force: bool) -> dict[str, Any]:
    return {
        "name": profile.name,
        "in_force": is_in_force,
        "order": list(profile.order),
        **{attribute: getattr(profile, attribute) for _, attribute in TOGGLES},
        "default_store": profile.default_store,
        "own_store": profile.own_store,
        "origin": place.fields() if place else None,
    }


def _store(profile: Profile) -> str:
    """Return which secret store counts where nobody chooses one: one of the profile's own, or an adapter."""
    return OWN_STORE if profile.own_store else profile.default_store or ANY_STORE


def _text(ordered: Sequence[Profile], in_force: Profile, places: Mapping[str, Origin | None]) -> str:
    """Return one column for each profile; a layer of the order is a row, so that the columns stay narrow."""
    rows = [
        (f"order {position + 1}{_end(position)}", *(_layer(profile, position) for profile in ordered))
        for position in range(len(LAYERS))
    ]
    rows += [(head, *(_shown(getattr(profile, name)) for profile in ordered)) for head, name in TOGGLES]
    rows.append(("secret store", *map(_store, ordered)))
    rows.append(("defined at", *(str(places[profile.name] or "built in") for profile in ordered)))
    head = ("profile", *(profile.name + (IN_FORCE if profile == in_force else "") for profile in ordered))
    return f"{table(head, rows)}\n\n{IN_FORCE} in force"


def _end(position: int) -> str:
    return {0: " (lowest)", len(LAYERS) - 1: " (highest)"}.get(position, "")


def _layer(profile: Profile, position: int) -> str:
    """Return the layer at a place of the order; the highest stands in the last row, also in a shorter order."""
    if position == len(LAYERS) - 1:
        return profile.order[-1]
    return profile.order[position] if position < len(profile.order) - 1 else ""


def _shown(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
