"""An answer, and the errors that a status means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.core.response import Headers, Response, retry_after_s, shown

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
URL = "https://example.org/a?token=canary"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(302, BadReply, id="302"),
        pytest.param(400, InvalidInput, id="400"),
        pytest.param(401, Denied, id="401"),
        pytest.param(403, Denied, id="403"),
        pytest.param(404, NotFound, id="404"),
        pytest.param(405, InvalidInput, id="405"),
        pytest.param(407, Denied, id="407"),
        pytest.param(408, TimedOut, id="408"),
        pytest.param(409, Conflict, id="409"),
        pytest.param(410, NotFound, id="410"),
        pytest.param(412, Conflict, id="412"),
        pytest.param(422, InvalidInput, id="422"),
        pytest.param(429, RateLimited, id="429"),
        pytest.param(500, Unavailable, id="500"),
        pytest.param(503, Unavailable, id="503"),
    ],
)
def test_a_status_has_one_error(status: int, error: type[AdapterError]) -> None:
    """The text names status and address, without query and body."""
    response = Response(status, body=b"canary", url=URL)

    with pytest.raises(error) as caught:
        response.raise_for_status()

    assert type(caught.value) is error
    assert caught.value.reason == f"status {status} from https://example.org/a"


@pytest.mark.parametrize("status", [pytest.param(200, id="200"), pytest.param(204, id="204")])
def test_success_has_no_error(status: int) -> None:
    """200 to 299 raise nothing."""
    assert Response(status).error() is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("120", 120.0, id="seconds"),
        pytest.param(" 0 ", 0.0, id="none"),
        pytest.param("Tue, 01 Jan 2030 12:01:30 GMT", 90.0, id="a date"),
        pytest.param("Tuesday, 01-Jan-30 12:01:30 GMT", 90.0, id="a date of RFC 850"),
        pytest.param("Tue, 01 Jan 2030 11:00:00 GMT", 0.0, id="a date that is over"),
        pytest.param("-5", None, id="a negative number"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("soon", None, id="a word"),
        pytest.param("²", None, id="a digit that is none"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float | None) -> None:
    """Seconds, or an HTTP date against the time of the answer; what cannot be read says nothing."""
    assert retry_after_s(value, now=NOW) == seconds


def test_the_error_knows_when_to_come_back() -> None:
    """A Retry-After date counts from when the answer came."""
    response = Response(429, Headers([("Retry-After", "Tue, 01 Jan 2030 12:00:10 GMT")]), received_at=NOW)

    error = response.error(category="messaging", name="slack", operation="send")

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 10.0
    assert str(error).startswith("messaging/slack send: rate-limited")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        pytest.param("https://u:canary@example.org:8443/a/b?q=canary#canary", "https://example.org:8443/a/b", id="all"),
        pytest.param("/a?q=canary", "/a", id="relative"),
        pytest.param("http://[canary", "an address that cannot be read", id="broken"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, text: str) -> None:
    """User info, query and fragment stay out."""
    assert shown(url) == text


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        pytest.param("", "ü".encode(), "ü", id="UTF-8 by default"),
        pytest.param("text/plain; charset=latin-1", b"\xfc", "ü", id="as the header says"),
        pytest.param("text/plain; charset=no-such", "ü".encode(), "ü", id="a charset nobody knows"),
        pytest.param("text/plain", b"a\xff", "a\ufffd", id="wrong bytes"),
    ],
)
def test_a_body_is_read_as_text(content_type: str, body: bytes, text: str) -> None:
    """The charset of the Content-Type decides."""
    assert Response(200, Headers([("Content-Type", content_type)]), body).text() == text


def test_a_body_that_is_no_json_is_a_bad_reply() -> None:
    """The error holds none of the body."""
    with pytest.raises(BadReply) as caught:
        Response(200, body=b"<html>canary").json()

    assert "canary" not in str(caught.value)


def test_header_names_have_no_case_and_fields_add_up() -> None:
    """Look-ups work in any case, and several fields of one name are one text."""
    headers = Headers([("X-A", "1"), ("x-a", "2"), ("B", "3")])

    assert (headers["x-A"], headers.get("b"), "X-a" in headers, len(headers)) == ("1, 2", "3", True, 2)


def test_an_answer_shows_its_status_only() -> None:
    """Neither headers nor body nor address reach a log by repr."""
    response = Response(200, Headers([("Set-Cookie", "canary")]), b"canary", URL)

    assert repr(response) == "Response(status=200)"
    assert "canary" not in repr(response.headers)
