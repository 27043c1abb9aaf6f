"""From an outcome to a status: the whole table."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import Response

from oneiric.core.errors import (
    BodyTooLarge,
    HandlerFailed,
    InvalidEvent,
    NotFound,
    PushAuthConfig,
    RateLimited,
)
from oneiric.core.event import Event
from oneiric.core.log import configure
from oneiric.runtime.events import Dispatch, HandlerResult
from oneiric.web.answers import answer_dispatch, answer_error

EVENT = Event(type="order.created")
HANDLED = HandlerResult("notify", "handled")


def failed(error: Exception) -> HandlerResult:
    """A handler that failed."""
    return HandlerResult("reserve", "failed", error)


def limited(seconds: float | None) -> HandlerResult:
    """A handler that met a rate limit."""
    return failed(RateLimited("slow down", retry_after_s=seconds))


def body_of(response: Response) -> dict[str, Any]:
    """Return the JSON body."""
    found: dict[str, Any] = json.loads(bytes(response.body))
    return found


@pytest.mark.parametrize(
    ("results", "status", "code", "retry_after"),
    [
        pytest.param((), 204, None, None, id="no subscriber"),
        pytest.param((HANDLED, HANDLED), 204, None, None, id="all handled"),
        pytest.param((HANDLED, failed(ValueError("x"))), 503, "event-failed", "5", id="one of two failed"),
        pytest.param((failed(NotFound()),), 503, "event-failed", "5", id="an adapter failed"),
        pytest.param((limited(2.1),), 429, "rate-limited", "3", id="a rate limit, rounded up"),
        pytest.param((limited(None),), 429, "rate-limited", "5", id="a rate limit of unknown length"),
        pytest.param((limited(0),), 429, "rate-limited", "1", id="never below a second"),
        pytest.param((limited(86_400),), 429, "rate-limited", "600", id="never above ten minutes"),
        pytest.param((limited(float("inf")),), 429, "rate-limited", "5", id="no number at all"),
        pytest.param((HANDLED, limited(2), limited(7)), 429, "rate-limited", "7", id="the longest of two limits"),
        pytest.param((limited(2), failed(ValueError())), 503, "event-failed", "5", id="a limit beside a failure"),
    ],
)
def test_a_dispatch_is_answered_by_what_its_handlers_did(
    results: tuple[HandlerResult, ...], status: int, code: str | None, retry_after: str | None
) -> None:
    """The sender tries again exactly when that can help."""
    response = answer_dispatch(Dispatch(EVENT, results))

    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert (body_of(response)["code"] if code else response.body) == (code or b"")


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        pytest.param(InvalidEvent("id", "it is missing"), 400, "invalid-event", None, id="no event"),
        pytest.param(PushAuthConfig(), 403, "push-auth-config", None, id="closed push routes"),
        pytest.param(HTTPException(404), 404, "unknown-route", None, id="unknown route"),
        pytest.param(HTTPException(405), 405, "wrong-method", None, id="wrong method"),
        pytest.param(BodyTooLarge(5), 413, "body-too-large", None, id="too large"),
        pytest.param(HTTPException(415), 415, "wrong-media-type", None, id="wrong media type"),
        pytest.param(HandlerFailed(["reserve"]), 503, "event-failed", "5", id="failed handler"),
        pytest.param(HTTPException(503), 503, "not-ready", "5", id="not ready"),
        pytest.param(ValueError("x"), 500, "internal", None, id="a fault of ours"),
        pytest.param(NotFound("x"), 500, "internal", None, id="an error that no row names"),
    ],
)
def test_an_error_is_answered_by_its_row(error: Exception, status: int, code: str, retry_after: str | None) -> None:
    """Every refusal has the same shape, and no fixes: they are for the operator, not for the sender."""
    response = answer_error(error)

    body = body_of(response)
    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert {**body, "message": ""} == {
        "schema": 1,
        "kind": "error",
        "code": code,
        "message": "",
        "path": [],
        "origin": None,
        "fixes": [],
    }
    assert body["message"]


def test_what_is_unforeseen_is_told_to_the_log_alone() -> None:
    """The caller gets an id, under which the operator finds the rest."""
    stream = io.StringIO()
    configure(as_json=True, stream=stream)

    body = body_of(answer_error(ValueError("the ledger is on fire")))

    line = json.loads(stream.getvalue())
    assert "ledger" not in json.dumps(body)
    assert body["message"].endswith(line["request_id"])
    assert "the ledger is on fire" in line["traceback"]


def test_a_rate_limit_says_nothing_of_the_backend() -> None:
    """The words of a backend may hold anything."""
    result = failed(RateLimited("quota of account 4711 exceeded", retry_after_s=1, category="http"))

    body = body_of(answer_dispatch(Dispatch(EVENT, (result,))))

    assert "4711" not in json.dumps(body)
