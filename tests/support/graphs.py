"""Applications whose graph holds every kind of loser, fault and name; and large ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from oneiric import INJECTED, Container, Event, Inject, LayerContainer, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.containers.graph import Arrow, Graph, Node, Outcome
from oneiric.containers.graph_rivals import Rival
from oneiric.core.origins import EnvOrigin, FileOrigin
from oneiric.core.profiles import DEFAULT
from oneiric.core.sources import UNSET, Said
from oneiric.providers.catalog import Catalog, Category, Row

MEMORY = "oneiric.adapters.cache.memory:MemoryCache"
# Everything but env speaks: one graph shows what a silent layer says, and what secrets may not say.
QUIET = replace(DEFAULT, name="quiet", order=("code", "profile", "secrets", "manifest", "explicit"))
NASTY = "<img src=x onerror=\"document.title='gone'\"></script>'\n\x1b[31m\u2028\u202e&amp;`%%{init}%%\\"


class Prices:
    """What things cost."""

    def __init__(
        self, cache: Inject[Cache] = INJECTED, sessions: Annotated[Cache, Named("cache.sessions")] = INJECTED
    ) -> None:
        self.cache = cache


class FixedPrices(Prices):
    """What things cost today."""


class Basket:
    """Lives for one request."""

    def __init__(self, prices: Inject[Prices] = INJECTED) -> None:
        self.prices = prices


class Till:
    """Lives as long as the application, and holds a basket."""

    def __init__(self, basket: Inject[Basket] = INJECTED) -> None:
        self.basket = basket


class Ledger:
    """Nobody provides one."""


@inject
async def reserve(event: Event, till: Inject[Till] = INJECTED, prices: Inject[Prices] = INJECTED) -> None:
    """Take an order."""


@inject
async def book(event: Event, ledger: Inject[Ledger] = INJECTED) -> None:
    """Write an order into the books that nobody provides."""


@inject
def report(flags: Annotated[Cache, Named("cache.flags")] = INJECTED) -> None:
    """Tell what was sold."""


def shelf() -> Catalog:
    """Return a catalog in which the ranking has every reason to take nobody but `memory`."""
    rows = [
        Row("cache", "memory", MEMORY, priority=10, capabilities=frozenset({"ttl"})),
        Row("cache", "disk", MEMORY, priority=5, capabilities=frozenset({"ttl"})),
        Row("cache", "null", MEMORY, priority=5),
        Row("cache", "slow", MEMORY, capabilities=frozenset({"ttl"})),
        Row("cache", "valkey", MEMORY, extra="valkey", sdk="valkey_is_not_there"),
    ]
    return Catalog([Category("cache", "oneiric.adapters.cache.common:Cache")], rows, third_party=False)


def shop() -> Container:
    """Return a container with every reason to lose, three faults and an alias; one slot is needed by nobody."""
    container = Container("shop", profile=QUIET, catalog=shelf())
    container.slot("cache", capabilities=["ttl"])
    for name in ("cache.sessions", "cache.flags", "cache.idle"):
        container.slot(name, Cache)
    container.provide("prices")(Prices)
    container.provide("basket", scope="request")(Basket)
    container.provide("till")(Till)
    container.on("order.created", name="reserve")(reserve)
    container.on("order.created", name="book")(book)
    container.task("report")(report)
    container.alias("memo", "cache")
    layer = LayerContainer
    file = FileOrigin("oneiric.toml", "select.cache")
    unset = layer("manifest")
    unset.bindings["cache.sessions"] = Said(UNSET, unset.origin, text=True)
    container.override(layer("profile", {"cache": "memory", "cache.sessions": "disk"}, origin=file))
    container.override(layer("profile", {}, deny={"cache": ["slow"]}, origin=file))
    container.override(layer("secrets", {"cache": "disk"}))
    container.override(layer("manifest", {"cache": "disk", "cache.flags": "valkey"}))
    container.override(unset)
    container.override(layer("env", {"cache": "null"}, origin=EnvOrigin("ONEIRIC_SELECT__CACHE")))
    container.override(layer("explicit", {"prices": FixedPrices}))
    return container


def large(count: int) -> Graph:
    """Return a graph of so many nodes: a tenth are handlers, slots stand in six rows, each needs two of the next."""
    handlers = count // 10
    layers = ("code", "profile", "secrets", "manifest", "env", "explicit")
    lost = Rival("memory", "profile", "shadowed", "lower-layer")
    nodes = [_node("handler", f"event_{n:04}", "code") for n in range(handlers)]
    slots = [_node("object", f"part_{n:04}", layers[n % 6]) for n in range(count - handlers)]
    slots = [node._replace(rivals=(lost,)) if n % 7 == 0 else node for n, node in enumerate(slots)]
    row = max(1, len(slots) // 6)
    edges = [Arrow(node.id, slots[(7 * n) % row].id, by=("part",)) for n, node in enumerate(nodes)]
    for n, node in enumerate(slots[:-row]):
        below = row * (n // row + 1)
        edges += [
            Arrow(node.id, slots[min(below + (n * step) % row, len(slots) - 1)].id, by=("part",)) for step in (1, 3)
        ]
    ordered = sorted([*nodes, *slots], key=lambda node: node.id)
    return Graph("large", "default", layers, tuple(ordered), tuple(sorted(set(edges))))


def _node(kind: str, name: str, layer: str) -> Node:
    node = "slot" if kind == "object" else kind
    return Node(f"{node} {name}", kind, name, f"shop:{name}", layer, "app", "idle")


def nasty() -> Graph:
    """Return a graph in which every text that an application or a manifest could choose tries to break out."""
    lost = Rival(NASTY, "profile", "shadowed", "lower-layer", FileOrigin(NASTY, NASTY), NASTY)
    function = Node(f"handler {NASTY}", "handler", NASTY, NASTY, "code", "app", "idle")
    slot = Node(
        *(f"slot {NASTY}", "adapter", NASTY, NASTY, "env", "app", "idle"),
        rivals=(lost,),
        problem="no-candidate",
        elsewhere=Outcome(NASTY, "env"),
        origin=EnvOrigin(NASTY),
    )
    edges = (Arrow(f"alias {NASTY}", slot.id, "alias"), Arrow(function.id, slot.id, by=(NASTY,)))
    order = ("code", "profile", "env")
    return Graph(NASTY, NASTY, order, (function, slot), edges, shadowed=True, against=NASTY, notes=(NASTY,))
