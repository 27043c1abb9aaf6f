"""
The evaluator: which adapter fills a slot, and which value a setting has, from what ranked layers say.

It works on plain data and touches nothing. Explanations are made by the same functions that decide.
Its values are named tuples: defining a frozen dataclass takes a millisecond of every start, a named tuple a tenth.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, get_args

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
from oneiric.core.origins import CodeOrigin, Origin, split_key
from oneiric.core.sources import Said, leaves
from oneiric.core.texts import folded, parse, plain_type, type_at

Status = Literal["winner", "merged", "shadowed", "masked", "unset", "ineligible", "absent", "unknown"]
MISSING: Any = object()  # "no value", where None is one


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
    def unset(self) -> bool:
        """Whether it masks what lies below, and chooses nothing itself."""


VoiceT = TypeVar("VoiceT", bound=Voice)


NONE_DENIED: Mapping[str, Origin] = MappingProxyType({})


class Offer(NamedTuple):
    """An adapter that could fill a slot."""

    name: str
    priority: int
    capabilities: frozenset[str]
    origin: Origin
    extra: str | None = None
    installed: bool = True


class Wants(NamedTuple):
    """What a slot asks of an adapter, and what the profile denies it."""

    capabilities: frozenset[str] = frozenset()
    any_of: frozenset[frozenset[str]] = frozenset()  # of each of these sets, one is enough
    denied: Mapping[str, Origin] = NONE_DENIED

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


class Field(NamedTuple):
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


class Share(NamedTuple):
    """What one layer contributed to a value."""

    layer: str
    status: Status
    reason: str | None
    value: Any
    origin: Origin | None


class Value(NamedTuple):
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


@dataclass(frozen=True, slots=True, eq=False)
class _Word:
    """What one layer says about a field: a value, a text that cannot be read, or nothing (MISSING) for a reason."""

    layer: str
    value: Any
    origin: Origin | None
    reason: str | None = None
    error: InvalidValue | None = None

    @property
    def is_map(self) -> bool:
        """Whether it merges with what lower layers say."""
        return isinstance(self.value, Mapping) or hasattr(self.value, "model_dump")

    def share(self, status: Status) -> Share:
        """Return it as a share of the decided value."""
        if self.value is MISSING and self.error is None:
            return Share(self.layer, "absent", self.reason, None, self.origin)
        shown = None if self.value is MISSING else self.value
        return Share(self.layer, status, "lower-layer" if status == "shadowed" else None, shown, self.origin)


def evaluate(field: Field, speakers: Sequence[Speaker]) -> Value:
    """
    Decide the value of one setting.

    Maps merge leaf by leaf, everything else is replaced by the highest layer that says anything.

    Args:
        field: The setting.
        speakers: Layer name and what it says by dotted key, low to high, without layer `code`.
    """
    words = [_word(field, layer, said) for layer, said in reversed(speakers)]
    if field.default is not MISSING:
        words.append(_Word("code", field.default, field.origin))
    taken: list[_Word] = []  # the highest that speaks, and the maps that merge with it
    for word in words:
        if word.value is MISSING and word.error is None:
            continue
        if not taken or word.is_map or word.error is not None:
            taken.append(word)
        if not word.is_map:
            break
    error = taken[-1].error if taken else None
    statuses = _statuses(taken)
    shares = tuple(word.share(statuses.get(word, "shadowed")) for word in words)
    return Value(field, MISSING if error is not None else _merged(taken), shares, error)


def _statuses(taken: Sequence[_Word]) -> dict[_Word, Status]:
    """Return what became of the words that count, high to low: the highest with a leaf of its own wins."""
    statuses: dict[_Word, Status] = {}
    claimed: set[tuple[str, ...]] = set()
    for word in taken:
        if not word.is_map:
            statuses[word] = "ineligible" if word.error is not None else "winner"
            continue
        own = {path for path, value in leaves(_plain(word.value)) if not isinstance(value, Mapping)}
        hidden = {path for path in own if any(_overlap(path, other) for other in claimed)}
        has_share = bool(own - hidden) or not claimed
        statuses[word] = ("merged" if claimed else "winner") if has_share else "shadowed"
        claimed |= own
    empty = [word for word, status in statuses.items() if status == "winner"][:-1]
    return statuses | dict.fromkeys(empty, "merged")  # an empty map above one with leaves adds nothing to it


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return all(part == its for part, its in zip(one, other, strict=False))


def _merged(taken: Sequence[_Word]) -> Any:
    if len(taken) < 2:
        return taken[0].value if taken else MISSING
    value: dict[str, Any] = {}
    for word in reversed(taken):
        value = _merge(value, _plain(word.value))
    return value


def _plain(value: Any) -> Any:
    """Return a map or a settings model, and those inside, as a plain map; anything else as it is."""
    if hasattr(value, "model_dump"):
        return {name: _plain(part) for name, part in value}
    return {key: _plain(part) for key, part in value.items()} if isinstance(value, Mapping) else value


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _word(field: Field, layer: str, said: Mapping[str, Said]) -> _Word:
    """Return one layer's word about a field, put together from its leaves, or why it is silent."""
    exact = said.get(field.key) or _spelled(said, field.key)
    below = dict(_below(field.key, said))
    spoken = [item for item in (exact, *below.values()) if item is not None]
    first = next((item for item in spoken if not item.is_empty), None)
    if first is None:
        ignored = spoken[0].origin if spoken else None
        return _Word(layer, MISSING, ignored, "empty-ignored" if spoken else "absent")
    try:
        whole: Any = {}
        if first is exact:
            whole = parse(field.key, field.annotation, exact) if exact.text else exact.value
        if isinstance(whole, Mapping) and below:
            whole = _merge(whole, _tree(field, below))
    except InvalidValue as error:
        return _Word(layer, MISSING, error.origin, error=error)
    return _Word(layer, whole, first.origin)


def _spelled(said: Mapping[str, Said], key: str) -> Said | None:
    """Return what a variable says, whose name knows neither case nor `-`."""
    found = said.get(folded(key))
    return found if found is not None and found.text else None


def _below(key: str, said: Mapping[str, Said]) -> Iterator[tuple[tuple[str, ...], Said]]:
    """Yield what is said about the parts of a setting, by the path below it."""
    spelled = folded(key) + "."
    for name, item in said.items():
        if name.startswith(f"{key}.") or (item.text and name.startswith(spelled)):
            yield tuple(split_key(name[len(spelled) :])), item


def _tree(field: Field, parts: Mapping[tuple[str, ...], Said]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, item in parts.items():
        value = item.value
        if item.is_empty:
            continue
        if item.text:
            value = parse(".".join((field.key, *path)), type_at(field.annotation, path), item)
        for part in reversed(path):
            value = {part: value}
        tree = _merge(tree, value)
    return tree


def fields_of(model: Any, prefix: str) -> Iterator[Field]:
    """Yield the settings of a pydantic model class under a dotted prefix, by name."""
    for name in sorted(model.model_fields):
        info = model.model_fields[name]
        default = MISSING if info.is_required() else info.get_default(call_default_factory=True)
        secret = is_secret_name(name) or _holds_secret(info.annotation)
        yield Field(f"{prefix}.{name}", info.annotation, default, secret, FieldOrigin(model, name))


def _holds_secret(annotation: Any) -> bool:
    kind = plain_type(annotation)
    return hasattr(kind, "get_secret_value") or any(hasattr(part, "get_secret_value") for part in get_args(kind))


class FieldOrigin(CodeOrigin):
    """The line that declares a field of a settings model, looked up when somebody asks."""

    __slots__ = ("_model", "_name")
    _model: type
    _name: str

    def __init__(self, model: type, name: str) -> None:
        self._model = model
        self._name = name

    @property
    def at(self) -> str:  # type: ignore[override]  # the line is looked up when somebody asks
        """`module:line` of the class that declares the field."""
        owner = next((c for c in self._model.__mro__ if self._name in getattr(c, "__annotations__", {})), self._model)
        line = _line_of(owner, self._name)
        return str(owner.__module__) if line is None else f"{owner.__module__}:{line}"

    def __str__(self) -> str:
        return self.at

    def _said(self) -> dict[str, str | int | None]:
        return {"at": self.at}


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
