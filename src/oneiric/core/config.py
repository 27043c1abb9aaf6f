"""
The evaluator: which adapter fills a slot, and which value a setting has, from what ranked layers say.

It works on plain data and touches nothing. Explanations are made by the same functions that decide.
"""

from __future__ import annotations

import json
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, get_args, get_origin

from oneiric.core.errors import (
    AmbiguousSlot,
    InvalidValue,
    NoCandidate,
    OneiricError,
    SelectionDenied,
    SelectionMissingCapability,
    SelectionNotInstalled,
    SelectionUnknown,
)
from oneiric.core.log import is_secret_name
from oneiric.core.origins import CodeOrigin, Origin
from oneiric.core.sources import Said

Status = Literal["winner", "merged", "shadowed", "masked", "unset", "ineligible", "absent", "unknown"]
TRUE = frozenset({"true", "1", "on", "yes"})
FALSE = frozenset({"false", "0", "off", "no"})
MISSING: Any = object()  # "no value", where None is one


class Voice(Protocol):
    """One layer's word about a slot, as the evaluator needs it."""

    layer: str
    chosen: str | None
    origin: Origin | None
    unset: bool


VoiceT = TypeVar("VoiceT", bound=Voice)


@dataclass(frozen=True, slots=True)
class Offer:
    """An adapter that could fill a slot."""

    name: str
    priority: int
    capabilities: frozenset[str]
    origin: Origin
    extra: str | None = None
    installed: bool = True


@dataclass(frozen=True, slots=True)
class Wants:
    """What a slot asks of an adapter, and what the profile denies it."""

    capabilities: frozenset[str] = frozenset()
    any_of: frozenset[str] = frozenset()
    denied: Mapping[str, Origin] = field(default_factory=dict)

    def missing(self, offer: Offer) -> frozenset[str]:
        """Return the capabilities that the offer lacks."""
        lacks = self.capabilities - offer.capabilities
        return lacks | self.any_of if self.any_of and not self.any_of & offer.capabilities else lacks

    def refusal(self, offer: Offer) -> str | None:
        """Return the reason why an offer cannot be taken by itself, or None."""
        if not offer.installed:
            return "not-installed"
        if offer.name in self.denied:
            return "denied-by-profile"
        return "missing-capability" if self.missing(offer) else None


@dataclass(frozen=True, slots=True)
class Choice:
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
        if voice.layer == "secrets":
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
    fit = [offer for offer in offers.values() if wants.refusal(offer) is None]
    if not fit:
        losers = sorted((offer.name, wants.refusal(offer) or "") for offer in offers.values())
        return Choice(error=NoCandidate(slot, losers=losers))
    top = max(offer.priority for offer in fit)
    best = sorted((offer for offer in fit if offer.priority == top), key=lambda offer: offer.name)
    if len(best) > 1:
        tied = [(offer.name, offer.origin) for offer in best]
        return Choice(error=AmbiguousSlot(slot, tied, priority=top))
    return Choice(offer=best[0])


@dataclass(frozen=True, slots=True)
class Field:
    """
    One setting: its dotted key, the declared type, and the default of the code.

    Attributes:
        default: MISSING where the field is required.
        secret: Its value is shown to nobody.
    """

    key: str
    annotation: Any  # a type expression
    default: Any = MISSING
    secret: bool = False
    origin: Origin | None = None

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Share:
    """What one layer contributed to a value."""

    layer: str
    status: Status
    reason: str | None
    value: Any
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Value:
    """The value of one setting and who had a share in it, layers high to low."""

    field: Field
    value: Any
    shares: tuple[Share, ...]
    error: OneiricError | None = None

    @property
    def winner(self) -> Share | None:
        """The layer whose word counts."""
        return next((share for share in self.shares if share.status == "winner"), None)


Speaker = tuple[str, Mapping[str, Said]]


def evaluate(field: Field, speakers: Sequence[Speaker]) -> Value:
    """
    Decide the value of one setting.

    Maps merge leaf by leaf, everything else is replaced by the highest layer that says anything.

    Args:
        field: The setting.
        speakers: Layer name and what it says by dotted key, low to high, without layer `code`.
    """
    value = field.default
    shares: list[Share] = []
    if value is not MISSING:
        shares.append(Share("code", "winner", None, value, field.origin))
    for layer, said in speakers:
        try:
            found, origin, reason = _word(field, said)
        except InvalidValue as error:
            shares = [_lost(share) for share in shares]
            return Value(
                field, MISSING, (Share(layer, "ineligible", None, None, error.origin), *reversed(shares)), error
            )
        if found is MISSING:
            shares.append(Share(layer, "absent", reason, None, origin))
            continue
        merging = isinstance(value, Mapping) and isinstance(found, Mapping)
        keeps = merging and set(value) - set(found)
        shares = [_lost(share, merged=bool(keeps)) for share in shares]
        value = _merge(value, found) if merging else found
        shares.append(Share(layer, "winner", None, found, origin))
    return Value(field, value, tuple(reversed(shares)))


def _lost(share: Share, *, merged: bool = False) -> Share:
    if share.status not in {"winner", "merged"}:
        return share
    if merged:
        return Share(share.layer, "merged", None, share.value, share.origin)
    return Share(share.layer, "shadowed", "lower-layer", share.value, share.origin)


def _word(field: Field, said: Mapping[str, Said]) -> tuple[Any, Origin | None, str]:
    """Return one layer's word about a field, put together from its leaves, with its origin; or why it is silent."""
    exact = said.get(field.key)
    if exact is not None:
        if exact.is_empty:
            return MISSING, exact.origin, "empty-ignored"
        value = parse(field, exact) if exact.text else exact.value
        return value, exact.origin, ""
    below = field.key + "."
    parts = {key[len(below) :]: item for key, item in said.items() if key.startswith(below)}
    if not parts:
        return MISSING, None, "absent"
    tree: dict[str, Any] = {}
    for path, item in parts.items():
        *folders, last = path.split(".")
        here = tree
        for folder in folders:
            here = here.setdefault(folder, {})
        here[last] = item.value
    return tree, next(iter(parts.values())).origin, ""


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def parse(field: Field, said: Said) -> Any:
    """
    Read the text of a variable or a flag by the declared type of its field; never guessed from the text.

    Raises:
        InvalidValue: A truth value or JSON that cannot be read; the text itself is not shown.
    """
    text = str(said.value)
    kind = _plain_type(field.annotation)
    if kind is bool:
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise InvalidValue(field.key, "say true, 1, on, yes or false, 0, off, no", origin=said.origin)
    container = get_origin(kind) or kind
    structured = isinstance(container, type) and (
        issubclass(container, (list, tuple, set, frozenset, dict, Mapping)) or hasattr(container, "model_fields")
    )
    if structured:
        try:
            return json.loads(text)
        except ValueError:
            raise InvalidValue(field.key, "lists and maps are written as JSON", origin=said.origin) from None
    return text


def _plain_type(annotation: Any) -> Any:
    """Take Optional and Annotated off a type."""
    while True:
        if get_origin(annotation) is typing.Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (typing.Union, types.UnionType):
            rest = [part for part in get_args(annotation) if part is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation


def fields_of(model: Any, prefix: str) -> Iterator[Field]:
    """Yield the settings of a pydantic model class under a dotted prefix, by name."""
    for name in sorted(model.model_fields):
        info = model.model_fields[name]
        default = MISSING if info.is_required() else info.get_default(call_default_factory=True)
        secret = is_secret_name(name) or _holds_secret(info.annotation)
        yield Field(f"{prefix}.{name}", info.annotation, default, secret, FieldOrigin(model, name))


def _holds_secret(annotation: Any) -> bool:
    kind = _plain_type(annotation)
    return hasattr(kind, "get_secret_value") or any(hasattr(part, "get_secret_value") for part in get_args(kind))


class FieldOrigin(CodeOrigin):
    """The line that declares a field of a settings model, looked up when somebody asks."""

    __slots__ = ("_model", "_name")
    _model: type
    _name: str

    def __init__(self, model: type, name: str) -> None:
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_name", name)

    @property
    def at(self) -> str:
        """`module:line` of the class that declares the field."""
        owner = next((c for c in self._model.__mro__ if self._name in getattr(c, "__annotations__", {})), self._model)
        line = _line_of(owner, self._name)
        return str(owner.__module__) if line is None else f"{owner.__module__}:{line}"

    def __str__(self) -> str:
        return self.at

    def fields(self) -> dict[str, str | int | None]:
        """Return kind and place, ready for JSON."""
        return {"kind": self.kind, "at": self.at}


def _line_of(owner: type, name: str) -> int | None:
    """
    Return the line of a module that declares a field of a class, counted from 1; None where there is no source.

    The text is scanned, since `inspect` would parse the whole module for each class.
    """
    import linecache

    lines = linecache.getlines(getattr(sys.modules.get(owner.__module__), "__file__", None) or "")
    found: int | None = 0
    for part in [part for part in owner.__qualname__.split(".") if part != "<locals>"]:
        found = _scan(lines, found, rf"\s*(?:class|def|async def) {re.escape(part)}\b")
    found = _scan(lines, found, rf"\s+{re.escape(name)}\s*:")
    return None if found is None else found + 1


def _scan(lines: Sequence[str], start: int | None, pattern: str) -> int | None:
    """Return the position of the first line from `start` on that begins like this; None if there is none."""
    if start is None:
        return None
    return next((n for n in range(start, len(lines)) if re.match(pattern, lines[n])), None)


def validated(model: Any, values: Iterable[Value]) -> Any:
    """
    Build a settings model from decided values.

    Raises:
        InvalidValue: The winning value of a field does not fit; the error names key and origin, never the value.
    """
    faults = list(faults_of(model, decided := list(values)))
    if faults:
        raise faults[0]
    return model.model_validate({v.field.name: v.value for v in decided if v.value is not MISSING})


def faults_of(model: Any, values: Sequence[Value]) -> Iterator[OneiricError]:
    """Yield every fault of the decided values of a model, each with key and origin."""
    from pydantic import ValidationError

    broken = [value.error for value in values if value.error is not None]
    yield from broken
    if broken:
        return
    by_name = {value.field.name: value for value in values}
    given = {v.field.name: v.value for v in values if v.winner is not None and v.winner.layer != "code"}
    try:
        model.model_validate(given)
    except ValidationError as error:
        for line in error.errors(include_input=False, include_url=False, include_context=False):
            where = ".".join(str(part) for part in line["loc"]) or "settings"
            value = by_name.get(str(line["loc"][0])) if line["loc"] else None
            prefix = values[0].field.key.rpartition(".")[0] if values else ""
            secret = value is not None and value.field.secret
            why = f"a secret that is {line['type']}" if secret else str(line["msg"])
            origin = value.winner.origin if value is not None and value.winner is not None else None
            yield InvalidValue(f"{prefix}.{where}", why, origin=origin, fixes=("correct the value where it is set",))
