"""The event envelope: what is an event, and what is refused with which words."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.errors import InvalidEvent
from oneiric.core.event import JSON, Event

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TYPES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=255)
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(
    lambda name: name not in {"specversion", "id", "source", "type", "subject", "time", "data", "dataschema"}
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> JSON:
    """Return lists in lists, `depth` of them."""
    value: JSON = "core"
    for _ in range(depth):
        value = [value]
    return value


def test_an_event_needs_only_its_type() -> None:
    """All the rest has a default that makes a complete CloudEvent."""
    event = Event(type="order.created")

    assert event.source == "/oneiric"
    assert event.datacontenttype == "application/json"
    assert (event.subject, event.dataschema, event.data) == (None, None, None)
    assert event.time.utcoffset() == timedelta(0)
    assert len(event.id) == 32


def test_two_events_have_two_ids() -> None:
    """`(source, id)` identifies an event."""
    assert Event(type="a").id != Event(type="a").id


@pytest.mark.parametrize(
    ("attribute", "value", "why"),
    [
        pytest.param("type", "", "it must be a text that is not empty", id="type is empty"),
        pytest.param("type", None, "it must be a text that is not empty", id="type is no text"),
        pytest.param(
            "type", "order created", "at most 255 characters, no blanks, no control characters", id="type has a blank"
        ),
        pytest.param(
            "type", "order\x00", "at most 255 characters, no blanks, no control characters", id="type has a NUL"
        ),
        pytest.param(
            "type",
            "order\n",
            "at most 255 characters, no blanks, no control characters",
            id="type ends in a line break",
        ),
        pytest.param(
            "type", "x" * 256, "at most 255 characters, no blanks, no control characters", id="type is too long"
        ),
        pytest.param("source", "", "it must be a text that is not empty", id="source is empty"),
        pytest.param("id", "", "it must be a text that is not empty", id="id is empty"),
        pytest.param("id", 7, "it must be a text that is not empty", id="id is a number"),
        pytest.param("datacontenttype", "", "it must be a text that is not empty", id="content type is empty"),
        pytest.param("id", "a\x00", "it holds a control character", id="id holds a NUL"),
        pytest.param("source", "/a\r\nx: y", "it holds a control character", id="source holds a line break"),
        pytest.param("subject", "\x9b31m", "it holds a control character", id="subject holds a terminal code"),
        pytest.param("subject", "", "it must be absent or a text that is not empty", id="subject is empty"),
        pytest.param("dataschema", 7, "it must be absent or a text that is not empty", id="schema is no text"),
        pytest.param("time", "2026-01-02T12:00:00Z", "it must be a time with a time zone", id="time is a text"),
        pytest.param(
            "time", NOON.replace(tzinfo=None), "it must be a time with a time zone", id="time without a time zone"
        ),
        pytest.param("data", {1: "a"}, "a key that is no text", id="data has a key that is no text"),
        pytest.param("data", (1, 2), "tuple is no JSON value", id="data is a tuple"),
        pytest.param("data", NOON, "datetime is no JSON value", id="data is a time"),
        pytest.param("data", float("nan"), "not a finite number", id="data is no number"),
        pytest.param("data", nested(65), "nested deeper than 64", id="data is too deep"),
    ],
)
def test_an_attribute_that_breaks_its_grammar_is_refused_by_name(attribute: str, value: object, why: str) -> None:
    """The error names the attribute and the rule, and holds no value."""
    arguments = {"type": "order.created", attribute: value}

    with pytest.raises(InvalidEvent) as caught:
        Event(**arguments)  # type: ignore[arg-type]  # wrong on purpose

    assert caught.value.attribute.split(".")[0] == attribute
    assert caught.value.message.removeprefix(f"event attribute {caught.value.attribute}: ") == why


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        pytest.param("Trace", "x", "Trace", id="upper case"),
        pytest.param("trace-id", "x", "trace-id", id="dash"),
        pytest.param("", "x", "", id="empty name"),
        pytest.param("x" * 21, "x", "x" * 21, id="name too long"),
        pytest.param("subject", "x", "subject", id="a context attribute"),
        pytest.param("data", "x", "data", id="the payload's name"),
        pytest.param("trace", 1.5, "trace", id="a number that is not whole"),
        pytest.param("trace", None, "trace", id="no value"),
        pytest.param("trace", ["x"], "trace", id="a list"),
    ],
)
def test_an_extension_outside_the_grammar_is_refused(name: str, value: object, attribute: str) -> None:
    """Extensions travel as headers: short lower-case names, plain values."""
    with pytest.raises(InvalidEvent) as caught:
        Event(type="a", extensions={name: value})  # type: ignore[dict-item]  # wrong on purpose

    assert caught.value.attribute == attribute


def test_a_refusal_says_where_in_the_payload_and_not_what() -> None:
    """The path leads to the fault; the values around it stay out of logs and answers."""
    with pytest.raises(InvalidEvent) as caught:
        Event(type="a", data={"card": [{"number": "4111"}, {"number": {1, 2}}]})  # type: ignore[dict-item]  # on purpose

    assert caught.value.attribute == "data.card.1.number"
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(nested(64), id="64 deep"),
        pytest.param(b"\x00\xff", id="bytes"),
        pytest.param("", id="empty text"),
        pytest.param(10**40, id="big number"),
    ],
)
def test_data_at_the_border_is_taken(data: JSON | bytes) -> None:
    """What is allowed is allowed to the last step."""
    assert Event(type="a", data=data).data == data


@given(
    type_=TYPES,
    data=JSON_VALUES,
    extensions=st.dictionaries(NAMES, st.text() | st.booleans() | st.integers(), max_size=4),
)
def test_every_json_value_makes_an_event_that_compares_by_its_content(
    type_: str, data: JSON, extensions: dict[str, str | bool | int]
) -> None:
    """Two events built from the same attributes are equal, and what they carry is JSON."""
    one = Event(type=type_, id="1", time=NOON, data=data, extensions=extensions)
    other = Event(type=type_, id="1", time=NOON, data=data, extensions=dict(extensions), meta={"path": "/push"})

    assert one == other
    assert json.loads(json.dumps(one.data)) == data


@given(st.text())
def test_a_type_is_taken_or_refused_and_nothing_else(type_: str) -> None:
    """No text makes the check itself fail."""
    with suppress(InvalidEvent):
        assert Event(type=type_).type == type_


def test_facts_of_the_transport_are_neither_compared_nor_shown() -> None:
    """The same event delivered twice is the same event, and a repr shows no header."""
    event = Event(type="a", id="1", time=NOON, meta={"authorization": "canary"})

    assert event == replace(event, meta={})
    assert "canary" not in repr(event)


def test_an_event_does_not_change() -> None:
    """What was stored is what was handled."""
    event = Event(type="a")

    with pytest.raises(FrozenInstanceError):
        event.type = "b"  # type: ignore[misc]  # wrong on purpose


def test_a_caused_event_names_its_cause_and_keeps_the_trace() -> None:
    """A chain of events can be walked back, and belongs to one trace."""
    first = Event(type="order.created", id="1", source="/shop", extensions={"traceparent": "00-ab-cd-01"})

    second = first.caused(type="stock.reserved", data={"sku": "a"})
    third = second.caused(type="order.shipped", source="/warehouse")

    assert second.source == "/shop"
    assert second.extensions == {"causationid": "1", "correlationid": "1", "traceparent": "00-ab-cd-01"}
    assert third.source == "/warehouse"
    assert third.extensions == {"causationid": second.id, "correlationid": "1", "traceparent": "00-ab-cd-01"}


def test_a_time_may_have_any_zone() -> None:
    """The moment counts, not the zone it is told in."""
    there = NOON.astimezone(timezone(timedelta(hours=9)))

    assert Event(type="a", id="1", time=there) == Event(type="a", id="1", time=NOON)
