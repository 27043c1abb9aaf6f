"""
From an outcome to an HTTP status: the one place that decides it.

| outcome | status |
|---|---|
| handled, or no subscriber | 204 |
| no CloudEvent | 400 |
| push routes without configured authentication | 403 |
| unknown route, wrong method, body too large, wrong media type | 404, 405, 413, 415 |
| every failed handler met a rate limit | 429 with Retry-After |
| a handler failed, or the application is not started or is draining | 503 with Retry-After |
| anything else | 500 |
"""

from __future__ import annotations

import math
import uuid
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from oneiric.core.errors import (
    BodyTooLarge,
    HandlerFailed,
    InvalidEvent,
    OneiricError,
    PushAuthConfig,
    RateLimited,
)
from oneiric.core.log import log
from oneiric.runtime.events import Dispatch

RETRY_AFTER_S = 5
MIN_RETRY_AFTER_S = 1
MAX_RETRY_AFTER_S = 600
STATUSES: dict[type[OneiricError], int] = {
    InvalidEvent: 400,
    PushAuthConfig: 403,
    BodyTooLarge: 413,
    RateLimited: 429,
    HandlerFailed: 503,
}
# What has no exception of ours, because it can only happen over HTTP.
SAID = {
    404: ("unknown-route", "there is no such route"),
    405: ("wrong-method", "this route does not take that method"),
    415: ("wrong-media-type", "this is neither application/cloudevents+json nor JSON with ce- headers"),
    503: ("not-ready", "the application is not started, or is stopping"),
}
INTERNAL = "internal"


def answer_dispatch(dispatch: Dispatch) -> Response:
    """Answer an event that was handed to its handlers."""
    failed = dispatch.failed
    if not failed:
        return Response(status_code=204)
    limits = [result.error for result in failed if isinstance(result.error, RateLimited)]
    if len(limits) < len(failed):
        return answer_error(HandlerFailed([result.name for result in failed]))
    waits = [RETRY_AFTER_S if limit.retry_after_s is None else limit.retry_after_s for limit in limits]
    return answer_error(RateLimited("a backend of the handler asks for a pause", retry_after_s=max(waits)))


def answer_error(error: Exception) -> Response:
    """
    Answer a request that failed.

    What is not in the table is our own fault or unforeseen: its details go to the log under a request id, and only the
    id goes to the caller.
    """
    if isinstance(error, HTTPException) and error.status_code in SAID:
        code, message = SAID[error.status_code]
        return _refuse(error.status_code, code, message, dict(error.headers or {}))
    if isinstance(error, OneiricError) and (status := STATUSES.get(type(error))) is not None:
        wait_s = error.retry_after_s if isinstance(error, RateLimited) else None
        return _refuse(status, error.code, error.message, {}, wait_s)
    request_id = uuid.uuid4().hex
    log().opt(exception=error).error("request failed", request_id=request_id)
    return _refuse(500, INTERNAL, f"this is a fault of the server; its log knows it as {request_id}", {})


def _refuse(status: int, code: str, message: str, headers: dict[str, str], wait_s: float | None = None) -> Response:
    body: dict[str, Any] = {"schema": 1, "kind": "error", "code": code, "message": message}
    if status in {429, 503}:
        seconds = RETRY_AFTER_S if wait_s is None or not math.isfinite(wait_s) else math.ceil(wait_s)
        headers["retry-after"] = str(min(max(seconds, MIN_RETRY_AFTER_S), MAX_RETRY_AFTER_S))
    return JSONResponse({**body, "path": [], "origin": None, "fixes": []}, status, headers)
