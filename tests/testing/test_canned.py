"""The HTTP of tests: it answers what it was told, and nothing else."""

from __future__ import annotations

import pytest

from oneiric import Container
from oneiric.adapters.http.common import Http
from oneiric.core.errors import InvalidInput, NotFound, Unavailable
from oneiric.testing.canned import CannedHttp

RATES = "https://rates.example.org/eur"


def test_it_fills_the_slot_of_its_category() -> None:
    """A container takes it as it is, and hands it out without opening anything."""
    app, http = Container("shop"), CannedHttp()

    with app.slot(Http).override(http):
        assert app.adapters.http() is http


@pytest.mark.asyncio
async def test_a_request_gets_the_answer_that_the_test_gave() -> None:
    """Status, headers and body come back, and what was asked is kept."""
    http = CannedHttp().answer("post", f"{RATES}?day=mon", status=201, json={"usd": 1.1}, headers={"X-Age": "3"})

    response = await http.request("POST", RATES, params={"day": "mon"}, json={"a": [1]}, headers={"X-Trace": "t"})

    assert (response.status, response.json(), response.headers["x-age"]) == (201, {"usd": 1.1}, "3")
    assert response.headers["content-type"] == "application/json"
    (asked,) = http.asked
    assert (asked.method, asked.url, asked.json()) == ("POST", f"{RATES}?day=mon", {"a": [1]})
    assert (asked.headers["x-trace"], asked.headers["content-type"]) == ("t", "application/json")


@pytest.mark.asyncio
async def test_answers_come_in_their_order_and_the_last_stays() -> None:
    """So that a test can let a server fail first, and recover."""
    http = CannedHttp().fail("GET", RATES, Unavailable("down")).answer("GET", RATES, status=404).answer("GET", RATES)

    with pytest.raises(Unavailable, match="down"):
        await http.request("GET", RATES)
    with pytest.raises(NotFound):
        (await http.request("GET", RATES)).raise_for_status()
    last = [(await http.request("GET", RATES)).status for _ in range(2)]

    assert last == [200, 200]
    assert len(http.asked) == 4


@pytest.mark.asyncio
async def test_a_request_without_an_answer_fails_the_test() -> None:
    """The message names the request, and the requests that have answers."""
    http = CannedHttp().answer("GET", RATES)

    with pytest.raises(AssertionError) as caught:
        await http.request("DELETE", RATES)

    assert str(caught.value) == f"no answer to DELETE {RATES}; there are answers to: GET {RATES}"


@pytest.mark.asyncio
async def test_a_body_is_streamed_in_pieces() -> None:
    """No piece is longer than 64 KiB, and together they are the body."""
    http = CannedHttp().answer("GET", RATES, body=b"x" * 200_000)

    async with http.stream("GET", RATES) as response:
        pieces = [len(piece) async for piece in response.chunks]

    assert pieces == [65_536, 65_536, 65_536, 3_392]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"json": {}, "content": b"x"}, id="two bodies"),
        pytest.param({"timeout_s": 0}, id="no time"),
    ],
)
@pytest.mark.asyncio
async def test_what_no_adapter_sends_is_refused_here_too(given: dict[str, object]) -> None:
    """It is invalid-input, so that a fault of the caller is found without a server."""
    http = CannedHttp().answer("GET", RATES)

    with pytest.raises(InvalidInput):
        await http.request("GET", RATES, **given)  # type: ignore[arg-type]  # wrong on purpose


def test_an_answer_has_one_body() -> None:
    """Two would leave open which one counts."""
    with pytest.raises(ValueError, match="one body"):
        CannedHttp().answer("GET", RATES, json={}, body=b"x")
