"""Secret references, and by which rules secrets count."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from oneiric.core.errors import InvalidSecretReference
from oneiric.core.origins import EnvOrigin
from oneiric.core.secrets import (
    Finding,
    Opened,
    Reference,
    SecretRules,
    conventional_name,
    is_bootstrap,
    is_protected,
    is_reference,
    parse_reference,
)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        pytest.param("secret://db", Reference("db"), id="a name"),
        pytest.param("secret://db-1.prod_x", Reference("db-1.prod_x"), id="a name of every kind of sign"),
        pytest.param("secret://db#password", Reference("db", "password"), id="a field"),
        pytest.param("secret://db?version=3", Reference("db", version="3"), id="a version"),
        pytest.param("secret://db?optional", Reference("db", optional=True), id="optional"),
        pytest.param("secret://db#a?version=3&optional", Reference("db", "a", "3", True), id="all of it"),
        pytest.param("secret://db#a?optional&version=3", Reference("db", "a", "3", True), id="options in any order"),
        pytest.param("secret://db#a.b c", Reference("db", "a.b c"), id="a field of any text"),
    ],
)
def test_a_reference_is_read(text: str, reference: Reference) -> None:
    """A name, then a field, then options."""
    assert parse_reference("k", text) == reference
    assert parse_reference("k", SecretStr(text)) == reference


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("secret://", id="no name"),
        pytest.param("secret://#a", id="a field and no name"),
        pytest.param("secret://?optional", id="an option and no name"),
        pytest.param("secret://a/hunter2", id="a sign that no name has"),
        pytest.param("secret://-a", id="a name that begins with a dash"),
        pytest.param("secret://" + "a" * 256, id="a name that is too long"),
        pytest.param("secret://a#", id="no field behind #"),
        pytest.param("secret://a?", id="no option behind ?"),
        pytest.param("secret://a?version=", id="no version"),
        pytest.param("secret://a?version", id="a version without a sign"),
        pytest.param("secret://a?version=1#f", id="a field behind the options"),
        pytest.param("secret://a?version=1&version=2", id="an option twice"),
        pytest.param("secret://a?optional&optional", id="optional twice"),
        pytest.param("secret://a?optional=yes", id="optional with a value"),
        pytest.param("secret://a?hunter2=1", id="another option"),
        pytest.param("secret://a?optional&", id="an empty option"),
    ],
)
def test_a_reference_that_cannot_be_read_is_refused_and_not_shown(text: str) -> None:
    """Somebody may have written a value there."""
    with pytest.raises(InvalidSecretReference) as raised:
        parse_reference("orders.password", text, EnvOrigin("ONEIRIC_ORDERS__PASSWORD"))

    assert "orders.password" in str(raised.value)
    assert raised.value.origin == EnvOrigin("ONEIRIC_ORDERS__PASSWORD")
    assert "hunter2" not in str(raised.value)


@given(st.text(max_size=20))
def test_any_text_is_a_reference_or_is_refused(rest: str) -> None:
    """And a reference that was read has a name."""
    try:
        assert parse_reference("k", f"secret://{rest}").name
    except InvalidSecretReference as error:
        assert error.key == "k"  # noqa: PT017  # most texts are refused


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        pytest.param("secret://a", True, id="a good one"),
        pytest.param("secret://", True, id="a bad one"),
        pytest.param(SecretStr("secret://a"), True, id="in a type that hides it, as code has to write it"),
        pytest.param("x secret://a", False, id="further behind"),
        pytest.param("SECRET://a", False, id="in another case"),
        pytest.param(SecretStr("a"), False, id="a secret itself"),
        pytest.param(Opened("secret://a"), False, id="what came from the store is final"),
        pytest.param(["secret://a"], False, id="a list"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_what_is_a_reference(value: object, is_one: bool) -> None:
    """Well or badly written: a bad one is an error, and never a value."""
    assert is_reference(value) is is_one


def test_a_reference_is_shown_without_its_options() -> None:
    """Name and field are no secrets."""
    assert str(Reference("db", "a", "3", True)) == "secret://db#a"


def test_what_came_from_the_store_hides_itself() -> None:
    """In every text, and it cannot be pickled."""
    opened = Opened("hunter2")

    assert "hunter2" not in f"{opened} {opened!r} {[opened]}"
    assert opened.get_secret_value() == "hunter2"
    assert opened == Opened("hunter2") != Opened("other")
    with pytest.raises(TypeError):
        pickle.dumps(opened)


def test_a_finding_hides_its_value() -> None:
    """A debugger prints what it holds."""
    assert "hunter2" not in repr(Finding("found", b"hunter2", "1"))


@pytest.mark.parametrize(
    ("state", "exists"),
    [
        pytest.param("found", True, id="found"),
        pytest.param("known", True, id="known"),
        pytest.param("missing", False, id="missing"),
        pytest.param("failed", False, id="failed"),
        pytest.param("unknown", False, id="unknown"),
    ],
)
def test_a_secret_exists_as_far_as_is_known(state: str, exists: bool) -> None:
    """A store that did not answer tells nothing."""
    assert Finding(state).exists is exists  # type: ignore[arg-type]  # one of its states


def test_the_name_of_a_secret_follows_from_its_key() -> None:
    """Dots become dashes, and nothing else is changed."""
    assert conventional_name("cache.redis.password") == "cache-redis-password"
    assert conventional_name("cache.my_adapter.api_key") == "cache-my_adapter-api_key"


@pytest.mark.parametrize(
    ("key", "bootstrap", "protected"),
    [
        pytest.param("secrets.vault.token", True, True, id="the store's own settings"),
        pytest.param("remote.url", True, True, id="where the manifest is"),
        pytest.param("logging.level", False, True, id="logging"),
        pytest.param("profile", False, True, id="the profile"),
        pytest.param("secretsx.token", False, False, id="another section"),
        pytest.param("cache.redis.host", False, False, id="an ordinary one"),
    ],
)
def test_some_keys_are_read_early_and_some_are_protected(key: str, bootstrap: bool, protected: bool) -> None:
    """What is read before the store is open cannot come from it; what trust rests on no remote manifest may set."""
    assert is_bootstrap(key) is bootstrap
    assert is_protected(key) is protected


@pytest.mark.parametrize(
    ("scope", "name", "is_in"),
    [
        pytest.param((), "a", False, id="no scope: nothing"),
        pytest.param(("app-*",), "app-db", True, id="a glob"),
        pytest.param(("app-*",), "db-root", False, id="another name"),
        pytest.param(("x", "app-?"), "app-1", True, id="one of several"),
        pytest.param(("APP-*",), "app-1", False, id="in another case"),
    ],
)
def test_a_remote_manifest_refers_to_names_in_scope_only(scope: tuple[str, ...], name: str, is_in: bool) -> None:
    """The globs are of our own configuration."""
    assert SecretRules(scope=scope).in_scope(name) is is_in


def test_rules_can_suppose_another_finding_for_one_secret() -> None:
    """What would be if it were missing; all others stay as they are."""
    rules = SecretRules(look=lambda name, version: Finding("found", name.encode(), "1"))

    supposed = rules.supposing("a", Finding("missing"))

    assert supposed.look("a", "latest").state == "missing"
    assert supposed.look("b", "latest").value == b"b"
    assert rules.look("a", "latest").value == b"a"
