"""A layer: a container of overrides that speaks for one source, with an origin for everything it says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeVar

from oneiric.core.origins import ManifestOrigin, Origin, OverrideOrigin, caller
from oneiric.core.profiles import LAYERS, Profile
from oneiric.core.sources import UNSET, UNSET_KEY, Said, Tables, dotted, leaves
from oneiric.providers.engine import DynamicContainer, Provider
from oneiric.providers.slot import own_provider

F = TypeVar("F", bound=Callable[..., Any])
Bindings = Mapping[Any, object]
Trust = Literal["inline", "remote"]
_MASKED = {UNSET_KEY: True}


class LayerContainer(DynamicContainer):
    """
    What one source says: which adapter or object fills which slot, and which values settings have.

    What it says does not change any more once it is applied: another layer says otherwise.

    Args:
        name: One of `code`, `profile`, `secrets`, `manifest`, `env`, `explicit`; it decides the rank.
        bindings: By slot name or slot type: an adapter's name, or an object, an adapter class or an engine provider.
        settings: Values by dotted key, or nested: `{"cache.redis.port": 6380}`.
        deny: Adapters that may not be chosen, by slot.
        origin: Where all of it was said; the calling line by default.
        trust: Whether a manifest belongs to the build (`inline`) or was fetched (`remote`), which may set less.

    Raises:
        ValueError: No layer has that name.
    """

    name: str
    origin: Origin
    trust: Trust
    bindings: dict[Any, Said]
    settings: dict[str, Said]
    deny: dict[str, dict[str, Origin]]
    ignored: dict[str, Said]

    def __init__(
        self,
        name: str,
        bindings: Bindings | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        deny: Mapping[str, list[str]] | None = None,
        origin: Origin | None = None,
        trust: Trust = "inline",
    ) -> None:
        if name not in LAYERS:
            raise ValueError(f'no layer is named "{name}"; choose one of: {", ".join(LAYERS)}')
        super().__init__()
        where = origin or _place(caller(1), trust)
        said: dict[str, Any] = {"name": name, "origin": where, "trust": trust, "ignored": {}}
        said["bindings"] = {
            key: Said(UNSET, where, text=True) if isinstance(value, dict) and value == _MASKED else Said(value, where)
            for key, value in (bindings or {}).items()
        }
        said["settings"] = {dotted(path): Said(value, where) for path, value in leaves(settings)} if settings else {}
        said["deny"] = {slot: dict.fromkeys(names, where) for slot, names in deny.items()} if deny else {}
        vars(self).update(said)  # the engine looks at each attribute that is set, which takes longer than all of this

    @classmethod
    def of(cls, name: str, tables: Tables, *, trust: Trust = "inline") -> LayerContainer:
        """Return the layer of a configuration source; its bindings are names of adapters."""
        layer = cls(name, origin=OverrideOrigin(name), trust=trust)
        layer.bindings = {slot: said for slot, said in tables.select.items() if not said.is_empty}
        layer.ignored = {slot: said for slot, said in tables.select.items() if said.is_empty}
        layer.settings = tables.settings
        layer.deny = tables.deny
        return layer

    def again(self) -> LayerContainer:
        """Return another layer that says the same."""
        twin = LayerContainer(self.name, origin=self.origin, trust=self.trust)
        twin.bindings, twin.ignored, twin.settings, twin.deny = self.bindings, self.ignored, self.settings, self.deny
        return twin

    def traverse(self, types: Any = None) -> Iterator[Provider[Any]]:  # type: ignore[override]  # no class-level form
        """Yield the providers of what this layer binds, made on this first use."""
        for said in self.bindings.values():
            if not isinstance(said.value, str):
                provider = own_provider(said.value)
                if types is None or isinstance(provider, tuple(types)):
                    yield provider

    def rank(self, profile: Profile) -> int | None:
        """Return the layer's rank in a profile, or None if it is silent there."""
        return profile.rank(self.name)

    def __repr__(self) -> str:
        return f"<layer {self.name}>"


def says_the_same(before: Iterable[LayerContainer], after: Iterable[LayerContainer]) -> bool:
    """Tell whether some layers say the same as others."""
    return [_words(layer) for layer in before] == [_words(layer) for layer in after]


def _words(layer: LayerContainer) -> Any:
    bindings, settings, ignored = (
        {key: (said.value, getattr(said.origin, "digest", None)) for key, said in table.items()}
        for table in (layer.bindings, layer.settings, layer.ignored)
    )
    return layer.name, bindings, settings, ignored, {slot: sorted(names) for slot, names in layer.deny.items()}


def _place(at: str, trust: Trust) -> Origin:
    """Return the origin of a layer made in code; a manifest that is not of the build says so."""
    return OverrideOrigin(at) if trust == "inline" else ManifestOrigin(at, "", "", trust)


class Applied(Protocol):
    """The container a layer is applied to, as the handle needs it."""

    def override(self, layer: LayerContainer) -> Any:
        """Put the layer in."""

    def drop(self, layer: LayerContainer) -> Any:
        """Take the layer away."""

    async def settled(self) -> None:
        """Wait until what the change made superfluous is closed."""


class Override:
    """
    The handle of an override, which is in force from the start.

    It ends by `undo()` or by leaving a `with` or `async with` block; as a decorator it is in force during each call.
    Several may end in any order; each takes away only itself.
    """

    def __init__(self, container: Applied, layer: LayerContainer, given: Any) -> None:
        self._container = container
        self._given = given
        self.layer = layer
        self.is_undone = False

    def undo(self) -> None:
        """Take the override away; a second call does nothing."""
        if not self.is_undone:
            self.is_undone = True
            self._container.drop(self.layer)

    def __enter__(self) -> Any:
        return self._given

    def __exit__(self, *exc: object) -> None:
        self.undo()

    async def __aenter__(self) -> Any:
        return self._given

    async def __aexit__(self, *exc: object) -> None:
        self.undo()
        await self._container.settled()

    def __call__(self, function: F) -> F:
        """Decorate a function: the override is in force during each call, and at no other time."""
        self.undo()
        return during_calls(function, functools.partial(self._container.override, self.layer))


def during_calls(function: F, again: Callable[[], Any]) -> F:
    """Return a function that opens what `again` returns, an override, for each of its calls."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            async with again():
                return await function(*args, **kwargs)

        return run_async  # type: ignore[return-value]  # same call

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with again():
            return function(*args, **kwargs)

    return run  # type: ignore[return-value]  # same call
