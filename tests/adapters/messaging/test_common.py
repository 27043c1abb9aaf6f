"""The message and its parts."""

from __future__ import annotations

from typing import Any

import pytest

from oneiric.adapters.messaging.common import Attachment, NotificationMessage
from oneiric.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        pytest.param({"title": ""}, "title", id="no title"),
        pytest.param({"title": " \n"}, "title", id="a blank title"),
        pytest.param({"title": "x" * 201}, "title", id="a title of 201 characters"),
        pytest.param({"severity": "fatal"}, "severity", id="no such severity"),
        pytest.param({"to": "ops@example.org"}, "to is a list", id="one text instead of a list"),
        pytest.param({"to": ("ops", "")}, "to is a list", id="an empty address"),
        pytest.param({"link": "javascript:canary()"}, "link", id="a script as link"),
        pytest.param({"link": "https://"}, "link", id="a link without a host"),
        pytest.param({"link": "https://example.org/a b"}, "link", id="a link with a blank"),
        pytest.param({"dedupe_key": ""}, "dedupe_key", id="an empty key"),
        pytest.param({"dedupe_key": "k" * 256}, "dedupe_key", id="a key of 256 characters"),
    ],
)
def test_a_message_that_cannot_be_is_refused(changed: dict[str, Any], names: str) -> None:
    """The error names the field and does not repeat it."""
    with pytest.raises(InvalidInput, match=names) as caught:
        NotificationMessage(**{"title": "t", **changed})

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("../a", id="a path"),
        pytest.param("a\\b", id="a backslash"),
        pytest.param("a\r\nb", id="a line end"),
    ],
)
def test_an_attachment_has_a_plain_name(name: str) -> None:
    """A name with a folder or a control character is invalid-input."""
    with pytest.raises(InvalidInput):
        Attachment(name, b"")


def test_the_longest_title_passes() -> None:
    """200 characters are a title."""
    assert len(NotificationMessage("x" * 200).title) == 200


def test_a_message_does_not_change_with_what_it_was_made_of() -> None:
    """Lists and mappings that were passed are copied."""
    to, fields = ["a"], {"n": 1}
    message = NotificationMessage("t", to=to, fields=fields)  # type: ignore[arg-type]  # a list, as callers do

    to.append("b")
    fields["m"] = 2

    assert (message.to, message.fields) == (("a",), {"n": 1})


def test_an_attachment_does_not_show_its_content() -> None:
    """The repr holds name and type."""
    shown = repr(Attachment("a.txt", b"canary", "text/plain"))

    assert shown == "Attachment(name='a.txt', content_type='text/plain')"
