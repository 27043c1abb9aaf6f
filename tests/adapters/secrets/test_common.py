"""The value type and the grammar of names of the category secrets."""

from __future__ import annotations

import pytest
from pydantic import SecretBytes

from oneiric.adapters.secrets.common import Secret, check_name
from oneiric.core.errors import InvalidInput


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("cache-redis-password", id="dashes"),
        pytest.param("tls.key", id="a dot"),
        pytest.param("_A1", id="an underscore first"),
        pytest.param("7", id="a digit"),
        pytest.param("a" * 255, id="the longest"),
    ],
)
def test_a_name_that_keeps_to_the_grammar_passes(name: str) -> None:
    """Letters, digits, underscores, dots and dashes, at most 255."""
    check_name(name, adapter="file", operation="get")

    assert "/" not in name


def test_a_wrong_name_is_not_repeated() -> None:
    """A value that was passed instead of a name does not reach the error."""
    with pytest.raises(InvalidInput) as caught:
        check_name("canary value", adapter="file", operation="get")

    assert "canary" not in str(caught.value)
    assert str(caught.value).startswith("secrets/file get: invalid-input")


def test_a_secret_hides_its_value() -> None:
    """The repr of a secret is safe in every log."""
    secret = Secret("name", SecretBytes(b"canary"), "v1")

    assert repr(secret) == "Secret(name='name', value=SecretBytes(b'**********'), version='v1')"
