"""
The choice: which adapter fills a slot, from what ranked layers say and what the catalog offers.

It works on plain data and touches nothing. Explanations are made by the same function that decides.
Its values are named tuples: defining a frozen dataclass takes a millisecond of every start, a named tuple a tenth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from oneiric.core.errors import (
    AmbiguousSlot,
    NoCandidate,
    OneiricError,
    SelectionDenied,
    SelectionMissingCapability,
    SelectionNotInstalled,
    SelectionUnknown,
)
from oneiric.core.origins import Origin


class Voice(Protocol):
    """One layer's word about a slot, as the evaluator needs it."""

    layer: str

    @property
    def chosen(self) -> str | None:
        """The adapter it names; None where it brings its own object, or masks what lies below."""

    @property
    def origin(self) -> Origin:
        """Where it was said."""

    @property
    def trust(self) -> str:
        """`remote` where a manifest that was fetched says it."""

    @property
    def unset(self) -> bool:
        """Whether it masks what lies below, and chooses nothing itself."""


VoiceT = TypeVar("VoiceT", bound=Voice)


NONE_DENIED: Mapping[str, Origin] = MappingProxyType({})


class Offer(Protocol):
    """An adapter that could fill a slot, as the evaluator needs it: a row of the catalog."""

    @property
    def name(self) -> str:
        """Its name inside the category."""

    @property
    def priority(self) -> int:
        """Who is taken when nobody chooses; higher wins."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do beyond the common part of its category."""

    @property
    def origin(self) -> Origin:
        """Where it is listed."""

    @property
    def extra(self) -> str | None:
        """The extra that installs its SDK; None where it needs none."""

    @property
    def installed(self) -> bool:
        """Whether its SDK is there; to find that out may take a search of the disk."""


class Wants(NamedTuple):
    """
    What a slot asks of an adapter, and what the profile denies it.

    Attributes:
        capabilities: The adapter must have all of these.
        any_of: Of each of these sets, one is enough.
        denied: Adapters that may not be chosen, with the place that denies them.
        protected: A remote manifest has no say.
        preferred: Who is taken before the ranking when nobody chooses, because the profile says so.
    """

    capabilities: frozenset[str] = frozenset()
    any_of: frozenset[frozenset[str]] = frozenset()
    denied: Mapping[str, Origin] = NONE_DENIED
    protected: bool = False
    preferred: str | None = None

    def ignores(self, voice: Voice) -> str | None:
        """Return the reason why a voice has no say at all, or None."""
        if voice.layer == "secrets":
            return "secrets-cannot-select"
        return "protected-key" if self.protected and voice.trust == "remote" else None

    def missing(self, offer: Offer) -> frozenset[str]:
        """Return the capabilities that the offer lacks."""
        unmet = (one for one in self.any_of if not one & offer.capabilities)
        return (self.capabilities - offer.capabilities).union(*unmet)

    def refusal(self, offer: Offer) -> str | None:
        """Return the reason why an offer cannot be taken by itself, or None."""
        if not offer.installed:
            return "not-installed"
        if offer.name in self.denied:
            return "denied-by-profile"
        return "missing-capability" if self.missing(offer) else None


class Choice(NamedTuple):
    """
    Who fills a slot. Either `error` is set, or one of the others.

    Attributes:
        voice: The position of the voice that won, or that is at fault; None where the ranking decided.
        offer: The adapter that fills the slot; None where a voice brings its own object.
        error: Why nobody fills it.
    """

    voice: int | None = None
    offer: Offer | None = None
    error: OneiricError | None = None


def choose(slot: str, voices: Sequence[VoiceT], offers: Mapping[str, Offer], wants: Wants, *, hint: str = "") -> Choice:
    """
    Decide who fills a slot.

    Args:
        slot: Its name, for the errors.
        voices: What the layers say, high to low; layers that do not speak in this profile are left out.
        offers: The adapters of the slot's category.
        wants: What the slot asks for, and what is denied.
        hint: What to add to "unknown adapter", such as the category that has one of that name.
    """
    for position, voice in enumerate(voices):
        if wants.ignores(voice):
            continue
        if voice.unset:
            break
        if voice.chosen is None:
            return Choice(position)
        offer = offers.get(voice.chosen)
        error = _refuse(slot, voice, offer, offers, wants, hint)
        return Choice(position, offer, error)
    return _rank(slot, offers, wants)


def _refuse(
    slot: str, voice: Voice, offer: Offer | None, offers: Mapping[str, Offer], wants: Wants, hint: str
) -> OneiricError | None:
    """A named choice is an error or it is used; it never falls to a lower layer."""
    name = voice.chosen or ""
    if offer is None:
        return SelectionUnknown(slot, name, known=offers, origin=voice.origin, hint=hint)
    if not offer.installed:
        others = [other.name for other in offers.values() if other.installed]
        return SelectionNotInstalled(slot, name, offer.extra or name, others=others, origin=voice.origin)
    if name in wants.denied and voice.layer != "explicit":
        return SelectionDenied(slot, name, denied_at=wants.denied[name], origin=voice.origin)
    if missing := wants.missing(offer):
        able = [other.name for other in offers.values() if other.installed and not wants.missing(other)]
        return SelectionMissingCapability(slot, name, missing, others=able, origin=voice.origin)
    return None


def _rank(slot: str, offers: Mapping[str, Offer], wants: Wants) -> Choice:
    """Nobody chose: the highest priority wins, and a tie is an error rather than an order of registration."""
    preferred = offers.get(wants.preferred or "")
    if preferred is not None and wants.refusal(preferred) is None:
        return Choice(offer=preferred)
    ranked = sorted(offers.values(), key=lambda offer: (-offer.priority, offer.name))
    for priority, equals in groupby(ranked, key=lambda offer: offer.priority):  # the first that fit end the search
        fit = [offer for offer in equals if wants.refusal(offer) is None]
        if len(fit) > 1:
            return Choice(error=AmbiguousSlot(slot, [(one.name, one.origin) for one in fit], priority=priority))
        if fit:
            return Choice(offer=fit[0])
    losers = sorted((offer.name, wants.refusal(offer) or "") for offer in ranked)
    return Choice(error=NoCandidate(slot, losers=losers))
