"""The rivals of who fills a slot: who else was named or could have been, and why they lost. No value of a setting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oneiric.containers.index import Record
from oneiric.containers.selection import Selection
from oneiric.containers.stack import Stack
from oneiric.core.origins import Origin
from oneiric.providers.slot import Binding, Slot

# What only an adapter of the catalog can have for a reason: no layer named it, and the ranking did not take it.
RANKED = frozenset({"lower-priority", "not-installed", "denied-by-profile", "missing-capability"})

quoted = json.encoder.encode_basestring  # a text as JSON, in the form of `ensure_ascii=False`


class Rival(NamedTuple):  # made for every slot, twice as fast as a frozen dataclass
    """
    One who does not fill a slot.

    Attributes:
        value: An adapter's name, or what an application's own object is.
        layer: The layer that named it; `code` for what the catalog offers.
        status: As in an explanation. `ineligible` without a reason is what was chosen and cannot be used.
        reason: Why it lost; None for a mask, and for what was chosen and cannot be used.
        origin: Where it was said.
        detail: What an explanation adds: `priority 0 < 10`, or how to install it.
    """

    value: str
    layer: str
    status: str
    reason: str | None = None
    origin: Origin | None = None
    detail: str | None = None

    @property
    def is_ranked(self) -> bool:
        """Whether it lost in the ranking of the catalog, and no layer named it."""
        return self.reason in RANKED

    def fields(self) -> dict[str, str | None]:
        """Return it ready for JSON."""
        return {"value": self.value, "layer": self.layer, "reason": self.reason}

    def json(self) -> str:
        """Return the JSON text of `fields` for one who has a reason."""
        value, layer, _, reason, _, _ = self
        return f'{{"value":{quoted(value)},"layer":"{layer}","reason":"{reason}"}}'


def rivals_of(record: Record, selection: Selection, silenced: Sequence[Rival] = ()) -> tuple[Rival, ...]:
    """
    Return the rivals in a slot: those that layers name, high to low; those of the catalog; those of silent layers.

    Args:
        record: The slot and who fills it.
        selection: The state of the layers in which that was decided.
        silenced: What layers say about the slot that are silent in this profile.
    """
    named = _named(record)
    if record.slot.category is None and not silenced:
        return tuple(named)
    return (*named, *_offered(record, selection), *silenced)


def _named(record: Record) -> list[Rival]:
    """Return what the layers say beside the winner, high to low."""
    winner, masked = record.winner, False
    is_undecided = winner is None
    found: list[Rival] = []
    for voice in record.slot.bindings[::-1]:
        if voice is winner:
            continue
        layer, status = voice.layer, "shadowed"
        reason: str | None = "lower-layer"
        if layer == "secrets":
            status, reason = "ineligible", "secrets-cannot-select"
        elif masked:
            status, reason = "masked", "masked-by-unset"
        elif not voice.brings and voice.unset:  # an object masks nothing, and asking it first is faster
            status, reason, masked = "unset", None, True
        elif is_undecided:  # the highest voice is the one that counts, and it cannot be
            status, reason, is_undecided = "ineligible", None, False
        found.append(Rival(voice.label, layer, status, reason, voice.said.origin))
    return found


def _offered(record: Record, selection: Selection) -> Iterator[Rival]:
    """Yield the adapters of the catalog that the ranking did not take, or that nobody chose."""
    offers, wants, winner = selection.offers(record.slot), selection.wants(record.slot), record.winner
    taken = winner.chosen if winner is not None else None
    is_ranked = winner is not None and winner not in record.slot.bindings
    top = f" < {offers[taken].priority}" if is_ranked and taken is not None else ""
    for offer in sorted(offers.values(), key=lambda offer: (-offer.priority, offer.name)):
        if offer.name == taken:
            continue
        reason, detail = wants.refusal(offer), f"priority {offer.priority}"
        if reason == "not-installed":
            detail = f"pip install 'oneiric[{offer.extra}]'"
        elif reason == "missing-capability":
            detail = f"lacks {', '.join(sorted(wants.missing(offer)))}"
        elif reason is None:
            detail += top
        yield Rival(offer.name, "code", "ineligible", reason or "lower-priority", offer.origin, detail)


def silenced_rivals(stack: Stack) -> Mapping[Slot[Any], Sequence[Rival]]:
    """Return what those layers say that are silent in the profile in force, by slot; the higher layer first."""
    found: dict[Slot[Any], list[Rival]] = {}
    for layer in reversed(stack.selection.silent):
        for key, said in layer.bindings.items():
            slot = stack.meant(layer, key)
            if slot is not None:
                label = Binding(layer.name, 0, said).label
                rival = Rival(label, layer.name, "ineligible", "layer-disabled", said.origin)
                found.setdefault(slot, []).append(rival)
    return found
