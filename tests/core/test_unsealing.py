"""Secrets of layers: references, and what the secrets layer answers by itself."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from oneiric.core.deciding import decide
from oneiric.core.markers import Protected
from oneiric.core.secrets import Finding, Opened, SecretRules
from oneiric.core.values import MISSING, PENDING, Decision, opened
from oneiric.core.words import Speaker
from tests.core.sayings import MISSING_SECRET, STORE, became, field, held, layer, words

KNOWN = Finding("known", version="7")
UNASKED = Finding("unknown")
DENIED = Finding("failed", why="denied")
DOWN = Finding("failed", why="unavailable")
DB = b'{"user": "u", "password": "S", "port": 5, "none": null, "tags": ["a"]}'


class Login(BaseModel):
    """A model with a secret inside."""

    user: str = "root"
    password: SecretStr | None = None


class Settings(BaseModel):
    """Settings that secrets can stand in."""

    password: SecretStr | None = None
    raw: SecretBytes | None = None
    host: str = "localhost"
    port: int = 1
    tls: bool = False
    tags: list[str] = ["a"]
    options: dict[str, Any] = {}
    login: Login = Login()
    pinned: Annotated[str, Protected] = "p"


def decided(name: str, *layers: Speaker, rules: SecretRules) -> Decision:
    """Decide a setting of `x`."""
    return decide(field(Settings, f"x.{name}"), words(*layers), rules)


def code_of(decision: Decision) -> str | None:
    """Return the code of the error; None if there is none."""
    return decision.error.code if decision.error is not None else None


@pytest.mark.parametrize(
    ("name", "text", "secret", "value"),
    [
        pytest.param("password", "secret://s", b"S", Opened("S"), id="a text"),
        pytest.param("password", "secret://s#password", DB, Opened("S"), id="a field of a JSON object"),
        pytest.param("password", "secret://s#none", DB, None, id="a null of JSON is one here too"),
        pytest.param("password", "secret://s#port", DB, Opened("5"), id="a number for a secret text"),
        pytest.param("raw", "secret://s", b"\xff\x00", Opened(b"\xff\x00"), id="bytes"),
        pytest.param("host", "secret://s", b"10.0.0.1", Opened("10.0.0.1"), id="a plain setting"),
        pytest.param("port", "secret://s#port", DB, Opened(5), id="a number of JSON"),
        pytest.param("tls", "secret://s", b"yes", Opened(True), id="a truth value is read by the type"),
        pytest.param("tags", "secret://s", b'["x"]', Opened(["x"]), id="a list is read by the type"),
        pytest.param("tags", "secret://s#tags", DB, Opened(["a"]), id="a list of JSON"),
        pytest.param("host", "secret://s", b"secret://other", Opened("secret://other"), id="it is final: no reference"),
        pytest.param("host", "secret://s", b"@unset", Opened("@unset"), id="it is final: no directive"),
        pytest.param("host", "secret://s", b"", Opened(""), id="an empty secret is a value"),
    ],
)
def test_a_reference_becomes_what_the_store_holds(name: str, text: str, secret: bytes, value: object) -> None:
    """Read by the declared type, and hidden wherever it goes."""
    for speaker in (layer("profile", {f"x.{name}": text}), layer("env", {f"x.{name}": text})):
        decision = decided(name, speaker, rules=held({"s": secret}))

        assert decision.error is None
        assert decision.value == value
        assert decision.shares[0].redacted is isinstance(value, Opened)


@pytest.mark.parametrize(
    ("text", "finding", "outcome"),
    [
        pytest.param("secret://s", MISSING_SECRET, "secret-not-found", id="missing"),
        pytest.param("secret://s#x", DB, "secret-field-not-found", id="no such field"),
        pytest.param("secret://s#x", b"S", "secret-field-not-found", id="a field of what is no JSON object"),
        pytest.param("secret://s", DENIED, "secret-unavailable", id="denied"),
        pytest.param("secret://s", DOWN, "secret-unavailable", id="down"),
        pytest.param("secret://", b"S", "invalid-secret-reference", id="no name"),
        pytest.param("secret://s?optional", MISSING_SECRET, "lower", id="optional and missing"),
        pytest.param("secret://s#x?optional", DB, "lower", id="optional and no such field"),
        pytest.param("secret://s?optional", DOWN, "secret-unavailable", id="optional forgives no outage"),
        pytest.param("secret://s?optional", b"S", "S", id="optional and there"),
    ],
)
@pytest.mark.parametrize("outage_falls", [pytest.param(True, id="falls"), pytest.param(False, id="fails")])
def test_a_reference_that_cannot_be_followed_is_an_error(
    text: str, finding: bytes | Finding, outcome: str, outage_falls: bool
) -> None:
    """In every profile; only `optional` lets the next layer answer, and only where the store has nothing."""
    layers = layer("profile", {"x.password": "lower"}), layer("manifest", {"x.password": text})

    decision = decided("password", *layers, rules=held({"s": finding}, outage_falls=outage_falls))

    assert (code_of(decision) or opened(decision.value)) == outcome
    if outcome == "lower":
        assert became(decision.shares)[:2] == [("manifest", "absent", "secret-not-found"), ("profile", "winner", None)]


def test_a_reference_has_the_rank_of_its_layer() -> None:
    """One that loses is not followed, whatever it says."""
    layers = layer("profile", {"x.password": "secret://nowhere"}), layer("env", {"x.password": "e"})

    decision = decided("password", *layers, rules=held({}))

    assert (decision.value, decision.error, decision.wanted) == ("e", None, ())
    assert became(decision.shares)[1] == ("profile", "shadowed", "lower-layer")


def test_a_version_is_asked_for_by_its_number() -> None:
    """And the latest one where none is named."""
    asked: list[tuple[str, str]] = []

    def look(name: str, version: str) -> Finding:
        asked.append((name, version))
        return Finding("found", b"S", version)

    rules = SecretRules(look=look)

    decided("password", layer("profile", {"x.password": "secret://s?version=3"}), rules=rules)
    decided("password", layer("profile", {"x.password": "secret://s"}), rules=rules)

    assert asked == [("s", "3"), ("s", "latest")]


@pytest.mark.parametrize(
    ("finding", "status"),
    [pytest.param(KNOWN, "winner", id="known to exist"), pytest.param(UNASKED, "unknown", id="not asked")],
)
def test_a_secret_that_was_not_fetched_is_wanted(finding: Finding, status: str) -> None:
    """Who wins is known, or presumed where nobody asked; the value is not there yet."""
    decision = decided("password", layer("profile", {"x.password": "secret://s"}), rules=held({"s": finding}))

    assert decision.value is PENDING
    assert decision.wanted == (("s", "latest"),)
    assert became(decision.shares)[0] == ("profile", status, None)


def test_references_stand_inside_lists_and_maps() -> None:
    """Each is followed by itself; an optional one that is missing leaves no item."""
    said = {"x.tags": ["a", "secret://s", "secret://no?optional"], "x.options": {"dsn": "secret://s", "n": 1}}
    rules = held({"s": b"S"})

    tags = decided("tags", layer("profile", said), rules=rules)
    options = decided("options", layer("profile", said), rules=rules)

    assert tags.value == ["a", Opened("S")]
    assert options.value == {"dsn": Opened("S"), "n": 1}
    assert tags.shares[0].redacted
    assert options.shares[0].redacted


def test_a_reference_may_stand_for_a_whole_map() -> None:
    """Its parts are what the JSON object of the secret holds."""
    said = layer("profile", {"x.login": "secret://db"})
    rules = held({"db": DB})

    part = decide(field(Settings, "x.login"), words(said), rules, ("user",))

    assert part.value == Opened("u")


def test_the_secrets_layer_answers_for_typed_secrets() -> None:
    """Under the conventional name, also inside a model, and for nothing else."""
    rules = held({"x-password": b"S", "x-login-password": b"L", "x-host": b"H", "x-login-user": b"U"})

    assert decided("password", STORE, rules=rules).value == Opened("S")
    assert decided("login", STORE, rules=rules).value == {"user": "root", "password": Opened("L")}
    assert decided("host", STORE, rules=rules).value == "localhost"


def test_the_secrets_layer_answers_for_bound_keys() -> None:
    """Under the bound name; the value is hidden then."""
    rules = held(
        {"dsn": b"H", "other": b"O", "x-password": b"no"},
        bindings={"x.host": "dsn", "x.password": "other", "x.options.a": "dsn"},
    )

    host = decided("host", layer("profile", {"x.host": "p"}), STORE, rules=rules)

    assert host.value == Opened("H")
    assert host.shares[0].redacted
    assert decided("password", STORE, rules=rules).value == Opened("O")
    assert decided("options", layer("profile", {"x.options.b": 1}), STORE, rules=rules).value == {
        "a": Opened("H"),
        "b": 1,
    }


@pytest.mark.parametrize(
    ("finding", "falls", "outcome", "share"),
    [
        pytest.param(b"S", True, "S", ("secrets", "winner", None), id="there"),
        pytest.param(MISSING_SECRET, True, "e", ("secrets", "absent", "secret-not-found"), id="missing"),
        pytest.param(MISSING_SECRET, False, "e", ("secrets", "absent", "secret-not-found"), id="missing, strict"),
        pytest.param(DENIED, True, "e", ("secrets", "ineligible", "secret-unavailable"), id="denied, and it may fall"),
        pytest.param(DOWN, True, "e", ("secrets", "ineligible", "secret-unavailable"), id="down, and it may fall"),
        pytest.param(
            DENIED, False, "secret-unavailable", ("secrets", "ineligible", "secret-unavailable"), id="denied, strict"
        ),
        pytest.param(
            DOWN, False, "secret-unavailable", ("secrets", "ineligible", "secret-unavailable"), id="down, strict"
        ),
    ],
)
def test_what_the_layers_below_the_store_are_asked_for(
    finding: bytes | Finding, falls: bool, outcome: str, share: tuple[str, str, str | None]
) -> None:
    """A secret that does not exist lets the next layer answer; an outage only where the profile says so."""
    rules = held({"x-password": finding}, outage_falls=falls)

    decision = decided("password", layer("env", {"x.password": "e"}), STORE, rules=rules)

    assert (code_of(decision) or opened(decision.value)) == outcome
    assert became(decision.shares)[0] == share
    is_fallback = outcome == "e" and isinstance(finding, Finding) and finding.state == "failed"
    assert [warning.code for warning in decision.warnings] == (["secret-fallback"] if is_fallback else [])


@pytest.mark.parametrize("finding", [pytest.param(DOWN, id="down"), pytest.param(UNASKED, id="not asked")])
def test_a_store_that_does_not_win_is_not_asked(finding: Finding) -> None:
    """Its outage is no fault then, and nothing is fetched."""
    rules = held({"x-password": finding}, outage_falls=False)

    decision = decided("password", STORE, layer("explicit", {"x.password": "e"}), rules=rules)

    assert (decision.value, decision.error, decision.wanted, decision.warnings) == ("e", None, (), ())


@pytest.mark.parametrize(
    ("finding", "share"),
    [
        pytest.param(KNOWN, ("secrets", "shadowed", "lower-layer"), id="has it"),
        pytest.param(MISSING_SECRET, ("secrets", "absent", "secret-not-found"), id="has it not"),
        pytest.param(DOWN, ("secrets", "ineligible", "secret-unavailable"), id="did not answer"),
        pytest.param(UNASKED, ("secrets", "unknown", "lower-layer"), id="nobody asked"),
    ],
)
def test_a_store_below_the_winner_lost_only_if_it_has_the_secret(
    finding: Finding, share: tuple[str, str, str | None]
) -> None:
    """As far as is known."""
    layers = STORE, layer("explicit", {"x.password": "e"})

    decision = decided("password", *layers, rules=held({"x-password": finding}))

    assert became(decision.shares)[1] == share


@pytest.mark.parametrize(
    ("trust", "text", "outcome"),
    [
        pytest.param("inline", "secret://db-root", "R", id="the build may refer to any"),
        pytest.param("remote", "secret://app-db", "S", id="a remote one to those in scope"),
        pytest.param("remote", "secret://db-root", "secret-out-of-scope", id="and to no other"),
        pytest.param("remote", "secret://db-root?optional", "secret-out-of-scope", id="optional changes nothing"),
    ],
)
def test_a_remote_manifest_refers_to_secrets_in_its_scope(trust: str, text: str, outcome: str) -> None:
    """Else it could send any secret to an address of its own."""
    rules = held({"app-db": b"S", "db-root": b"R"}, scope=("app-*",))

    decision = decided("password", layer("manifest", {"x.password": text}, trust=trust), rules=rules)

    assert (code_of(decision) or opened(decision.value)) == outcome


@pytest.mark.parametrize(
    ("said", "above", "plaintext", "outcome", "warned"),
    [
        pytest.param("m", None, True, "m", ["plaintext-secret"], id="allowed: a warning"),
        pytest.param("m", None, False, "plaintext-secret", [], id="not allowed: an error"),
        pytest.param("m", "e", False, "e", [], id="only if it wins"),
        pytest.param("secret://s", None, False, "S", [], id="a reference is none"),
        pytest.param(None, None, False, None, [], id="null is none"),
    ],
)
def test_a_plain_secret_in_a_manifest_counts_by_profile(
    said: str | None, above: str | None, plaintext: bool, outcome: str | None, warned: list[str]
) -> None:
    """Whoever reads the build reads it too."""
    layers = [layer("manifest", {"x.password": said})]
    if above is not None:
        layers.append(layer("env", {"x.password": above}))

    decision = decided("password", *layers, rules=held({"s": b"S"}, plaintext=plaintext))

    assert (code_of(decision) or opened(decision.value)) == outcome
    assert [warning.code for warning in decision.warnings] == warned


def test_a_reference_where_the_store_is_not_open_yet_is_a_cycle() -> None:
    """Settings of the store itself cannot come from it, and a binding for one is ignored."""

    class Store(BaseModel):
        token: str = "t"

    setting = field(Store, "secrets.vault.token")
    rules = held({"t": b"S"}, bindings={"secrets.vault.token": "t"})

    referring = decide(setting, words(layer("profile", {"secrets.vault.token": "secret://t"})), rules)
    bound = decide(setting, words(STORE), rules)

    assert code_of(referring) == "bootstrap-cycle"
    assert bound.value == "t"
    assert became(bound.shares)[0] == ("secrets", "ineligible", "bootstrap-key")


def test_bytes_that_are_no_text_are_an_error_for_a_text() -> None:
    """The error shows none of them."""
    decision = decided("host", layer("profile", {"x.host": "secret://s"}), rules=held({"s": b"\xffcanary"}))

    assert decision.value is MISSING
    assert code_of(decision) == "invalid-value"
    assert "canary" not in str(decision.error)


def test_a_list_directive_reaches_into_a_secret_list() -> None:
    """The result is hidden as the secret is."""
    layers = layer("profile", {"x.tags": "secret://s"}), layer("env", {"x.tags": '@append:["b"]'})

    decision = decided("tags", *layers, rules=held({"s": b'["a"]'}))

    assert decision.value == Opened(["a", "b"])


def test_no_share_shows_what_came_from_the_store() -> None:
    """Not in its text, and not where the value lost."""
    layers = layer("profile", {"x.password": "secret://s"}), STORE, layer("explicit", {"x.password": "e"})

    decision = decided("password", *layers, rules=held({"s": b"canary", "x-password": b"canary"}))

    assert "canary" not in repr(decision)
    assert all("canary" not in str(share.value) for share in decision.shares)
