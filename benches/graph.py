"""Many slots: building and validating them, and the graph as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator

from dependency_injector import providers

from benches.rows import Row
from benches.samples import Part, wide
from benches.timing import CannotMeasure, Effort, calls, interleave, shown
from oneiric import Application
from oneiric.containers.graph_page import as_html

SLOTS = 10_000
TENTH = SLOTS // 10
PAGE_SLOTS = 1_000
ROUNDS = 15
BUILD_BUDGET = 0.5
CHECK_BUDGET_S = 0.1
JSON_BUDGET = 3.0
PAGE_BUDGET = 15.0
PAGE_LIMIT_S = 0.5


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of 10,000 slots, and of the page of 1,000."""
    rounds = effort.rounds(ROUNDS)
    yield from _build_rows(rounds)
    yield _json_row(rounds)
    yield _page_row(rounds)


def _pairs() -> object:
    return [(providers.Singleton(Part), providers.Singleton(Part)) for _ in range(SLOTS)]


def _checked(count: int) -> Application:
    app = wide(count)
    app.check()
    return app


def _build_rows(rounds: int) -> Iterator[Row]:
    ready = wide(SLOTS)
    ready.check()

    def check() -> None:
        ready.stack.forget()  # a check reads records that are made once for each state: let it make them
        ready.check()

    best_s = interleave(
        {
            "engine": calls(_pairs),
            "all": calls(lambda: _checked(SLOTS)),
            "tenth": calls(lambda: _checked(TENTH), 10),
            "check": calls(check),
        },
        rounds,
    )
    all_s, engine_s = best_s["all"], best_s["engine"]
    yield Row(
        f"build and check {SLOTS} slots of 2 bindings",
        all_s / engine_s,
        BUILD_BUDGET,
        f"{shown(all_s)} against {shown(engine_s)} for as many pairs of engine Singletons; "
        f"{all_s / best_s['tenth']:.2f}x of 10 times {TENTH}",
    )
    yield Row(
        f"check {SLOTS} slots",
        best_s["check"] / CHECK_BUDGET_S,
        1.0,
        f"ratio = {shown(best_s['check'])} of {shown(CHECK_BUDGET_S)}",
    )


def _json_row(rounds: int) -> Row:
    app = _checked(SLOTS)
    plain = app.graph().fields()
    if app.graph().json() != app.graph().json():
        raise CannotMeasure("the graph of one state was written with different bytes")
    best_s = interleave(
        {
            "plain": calls(lambda: json.dumps(plain, ensure_ascii=False, separators=(",", ":"))),
            "graph": calls(lambda: app.graph().json()),
        },
        rounds,
    )
    plain_s, graph_s = best_s["plain"], best_s["graph"]
    return Row(
        f"graph to JSON, {SLOTS} slots",
        graph_s / plain_s,
        JSON_BUDGET,
        f"{shown(graph_s)} against {shown(plain_s)} for json.dumps of the same records; same bytes twice",
    )


def _page_row(rounds: int) -> Row:
    app = _checked(PAGE_SLOTS)
    plain = app.graph().fields()
    if as_html(app.graph()) != as_html(app.graph()):
        raise CannotMeasure("the page of one state was written with different bytes")
    best_s = interleave(
        {
            "plain": calls(lambda: json.dumps(plain, ensure_ascii=False, separators=(",", ":")), 10),
            "page": calls(lambda: as_html(app.graph())),
        },
        rounds,
    )
    plain_s, page_s = best_s["plain"] / 10, best_s["page"]
    return Row(
        f"graph to HTML, {PAGE_SLOTS} slots",
        page_s / plain_s,
        PAGE_BUDGET,
        f"{shown(page_s)} (goal: {shown(PAGE_LIMIT_S)}) against {shown(plain_s)} for json.dumps of the same records; "
        "same bytes twice",
    )
