"""What comes in by push: bodies of bounded length, and CloudEvents in two modes."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from oneiric.core.errors import BodyTooLarge, InvalidEvent
from oneiric.web.push import decode, read_body

ENVELOPE: dict[str, Any] = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.created"}
BINARY = [
    ("ce-specversion", "1.0"),
    ("ce-id", "7"),
    ("ce-source", "/shop"),
    ("ce-type", "order.created"),
    ("content-type", "application/json"),
]


def structured(document: object, media_type: str = "application/cloudevents+json") -> Any:
    """Decode a structured event."""
    return decode([("content-type", media_type)], json.dumps(document).encode())


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    """Send a body piece by piece."""
    for piece in given:
        yield piece


@pytest.mark.asyncio
async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    """The limit is the largest body, not the first that is too large."""
    assert await read_body(pieces(b"abc", b"de", b""), max_bytes=5) == b"abcde"


@pytest.mark.asyncio
async def test_a_body_over_the_limit_is_refused_when_its_first_byte_too_many_arrives() -> None:
    """What really arrives is counted; the rest is not even asked for."""
    asked = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            asked.append(1)
            yield b"abc"

    with pytest.raises(BodyTooLarge):
        await read_body(endless(), max_bytes=5)

    assert len(asked) == 2


@pytest.mark.parametrize(
    "media_type",
    [
        pytest.param("application/cloudevents+json", id="plain"),
        pytest.param("application/cloudevents+json; charset=utf-8", id="with a parameter"),
        pytest.param("Application/CloudEvents+JSON", id="in other case"),
    ],
)
def test_a_structured_event_is_read(media_type: str) -> None:
    """The whole event stands in the body."""
    time = "2026-01-02T03:04:05.678Z"

    event = structured(
        {**ENVELOPE, "subject": "o-1", "time": time, "dataschema": "/s", "tenant": "a", "n": 3, "data": {"total": 120}},
        media_type,
    )

    assert (event.id, event.source, event.type, event.subject) == ("7", "/shop", "order.created", "o-1")
    assert event.time == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert event.data == {"total": 120}
    assert event.dataschema == "/s"
    assert event.extensions == {"tenant": "a", "n": 3}
    assert event.datacontenttype == "application/json"


def test_a_binary_event_is_read() -> None:
    """Attributes stand in headers, percent-encoded, and the body is the data."""
    headers = [*BINARY, ("ce-subject", "o%201"), ("ce-time", "2026-01-02T03:04:05Z"), ("ce-tenant", "a"), ("host", "h")]

    event = decode(headers, b'{"total": 120}')

    assert (event.id, event.source, event.type, event.subject) == ("7", "/shop", "order.created", "o 1")
    assert event.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert event.data == {"total": 120}
    assert event.extensions == {"tenant": "a"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({"data": None}, None, id="null"),
        pytest.param({}, None, id="absent"),
        pytest.param({"data": [1, "two", 3.5, True]}, [1, "two", 3.5, True], id="a list"),
        pytest.param({"data": "text"}, "text", id="a text"),
        pytest.param({"data": 1, "data_base64": None}, 1, id="beside a null data_base64"),
        pytest.param({"data_base64": base64.b64encode(b"\x00\xff").decode()}, b"\x00\xff", id="bytes"),
    ],
)
def test_data_may_be_any_json_or_bytes(data: dict[str, Any], expected: object) -> None:
    """What was sent is what the handler gets."""
    assert structured({**ENVELOPE, **data}).data == expected


def test_null_attributes_count_as_absent() -> None:
    """Source: the JSON format of CloudEvents, section 2.2."""
    event = structured({**ENVELOPE, "subject": None, "tenant": None})

    assert event.subject is None
    assert event.extensions == {}


def test_an_empty_binary_event_needs_no_media_type() -> None:
    """An event without data has no body, and so nothing to name the type of."""
    event = decode([pair for pair in BINARY if pair[0] != "content-type"], b"")

    assert event.data is None


@pytest.mark.parametrize(
    ("document", "attribute"),
    [
        pytest.param([ENVELOPE], "body", id="a list"),
        pytest.param("text", "body", id="a text"),
        pytest.param(7, "body", id="a number"),
        pytest.param({}, "specversion", id="nothing in it"),
        pytest.param({**ENVELOPE, "specversion": "0.3"}, "specversion", id="an older version"),
        pytest.param({**ENVELOPE, "specversion": 1.0}, "specversion", id="a version that is a number"),
        pytest.param({"specversion": "1.0", "source": "/s", "type": "t"}, "id", id="no id: none is made up"),
        pytest.param({**ENVELOPE, "id": ""}, "id", id="an empty id"),
        pytest.param({**ENVELOPE, "id": 7}, "id", id="an id that is a number"),
        pytest.param({**ENVELOPE, "source": None}, "source", id="a null source"),
        pytest.param({**ENVELOPE, "type": "two words"}, "type", id="a type with a blank"),
        pytest.param({**ENVELOPE, "time": "yesterday"}, "time", id="a time that is none"),
        pytest.param({**ENVELOPE, "time": 7}, "time", id="a time that is a number"),
        pytest.param({**ENVELOPE, "time": "2026-01-02T03:04:05"}, "time", id="a time without a zone"),
        pytest.param({**ENVELOPE, "Tenant": "a"}, "Tenant", id="an extension in upper case"),
        pytest.param({**ENVELOPE, "tenant": {"a": 1}}, "tenant", id="an extension that is an object"),
        pytest.param({**ENVELOPE, "data": 1, "data_base64": "AA=="}, "data_base64", id="data twice"),
        pytest.param({**ENVELOPE, "data_base64": "no base64!"}, "data_base64", id="no base64"),
        pytest.param({**ENVELOPE, "data_base64": 7}, "data_base64", id="base64 that is a number"),
    ],
)
def test_a_structured_event_that_is_none_is_refused_with_the_attribute(document: object, attribute: str) -> None:
    """The sender is told which attribute is wrong."""
    with pytest.raises(InvalidEvent) as caught:
        structured(document)

    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="endless nesting"),
        pytest.param(b'{"a": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'["\\uDC00"]', id="the other half"),
    ],
)
@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_a_body_that_is_no_json_is_refused(mode: str, body: bytes) -> None:
    """It never becomes a text; only a binary event may have no body at all."""
    if mode == "binary" and not body:
        assert decode(BINARY, body).data is None
        return
    headers = BINARY if mode == "binary" else [("content-type", "application/cloudevents+json")]

    with pytest.raises(InvalidEvent):
        decode(headers, body)


@pytest.mark.parametrize(
    ("depth", "is_taken"), [pytest.param(64, True, id="64 levels"), pytest.param(65, False, id="65 levels")]
)
def test_data_is_nested_at_most_64_deep(depth: int, is_taken: bool) -> None:
    """Handlers may walk data without fear for their stack."""
    body = b"[" * depth + b"1" + b"]" * depth

    if is_taken:
        assert decode(BINARY, body).type == "order.created"
    else:
        with pytest.raises(InvalidEvent):
            decode(BINARY, body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    """Python's own reader would let it through."""
    with pytest.raises(InvalidEvent):
        decode(BINARY, f'{{"total": {number}}}'.encode())


@pytest.mark.parametrize(
    ("header", "attribute"),
    [
        pytest.param("ce-specversion", "specversion", id="specversion"),
        pytest.param("ce-id", "id", id="id"),
        pytest.param("ce-source", "source", id="source"),
        pytest.param("ce-type", "type", id="type"),
    ],
)
def test_a_binary_event_without_a_required_header_is_refused(header: str, attribute: str) -> None:
    """None of them is made up."""
    with pytest.raises(InvalidEvent) as caught:
        decode([pair for pair in BINARY if pair[0] != header], b"{}")

    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(("ce-id", "8"), id="a second id"),
        pytest.param(("ce-data", "x"), id="data in a header"),
        pytest.param(("ce-time", "never"), id="a time that is none"),
        pytest.param(("ce-" + "x" * 21, "x"), id="an extension with a long name"),
    ],
)
def test_a_wrong_header_of_a_binary_event_is_refused(more: tuple[str, str]) -> None:
    """Two readers never disagree about which header counts."""
    with pytest.raises(InvalidEvent):
        decode([*BINARY, more], b"{}")


@pytest.mark.parametrize(
    "media_type",
    [
        pytest.param("application/cloudevents-batch+json", id="a batch"),
        pytest.param("application/cloudevents+xml", id="another format of events"),
        pytest.param("application/xml", id="XML"),
        pytest.param("text/plain", id="text"),
        pytest.param("application/octet-stream", id="bytes"),
        pytest.param("json", id="no media type at all"),
        pytest.param("", id="none"),
    ],
)
def test_another_media_type_is_refused_as_such(media_type: str) -> None:
    """415, whatever the headers say besides."""
    headers = [*BINARY[:-1], ("content-type", media_type)]

    with pytest.raises(HTTPException) as caught:
        decode(headers, b"{}")

    assert caught.value.status_code == 415


@pytest.mark.parametrize(
    "media_type",
    [
        pytest.param("application/json; charset=utf-8", id="with a parameter"),
        pytest.param("application/vnd.example.order+json", id="a vendor's own"),
        pytest.param("text/json", id="the old name"),
    ],
)
def test_binary_data_may_be_any_kind_of_json(media_type: str) -> None:
    """The media type becomes the event's own."""
    event = decode([*BINARY[:-1], ("content-type", media_type)], b"{}")

    assert event.datacontenttype == media_type


def test_the_event_tells_how_it_came() -> None:
    """Facts about the transport are beside the event, not in it."""
    assert structured(ENVELOPE).meta == {"driver": "push"}


def test_a_refusal_holds_nothing_of_the_data() -> None:
    """Payloads stay out of errors, and so out of logs."""
    with pytest.raises(InvalidEvent) as caught:
        decode(BINARY, b'{"card": "4111-1111", "x": NaN}')

    assert "4111" not in str(caught.value)
