"""The tree of errors: codes, texts, and what they never hold."""

from __future__ import annotations

import json

import pytest

from oneiric import Application
from oneiric.core import errors
from oneiric.core.errors import AdapterError, OneiricError, Problem, Refused, did_you_mean, nearest
from oneiric.core.origins import EnvOrigin
from tests.support.failures import failures
from tests.support.golden import GOLDENS, check_golden

# Frozen: programs and operators match on these. A code may be added, never changed or given to another class.
CODES = {
    "AdapterError": "adapter-error",
    "AmbiguousSlot": "ambiguous-slot",
    "AmbiguousType": "ambiguous-type",
    "AnnotationUnresolved": "annotation-unresolved",
    "AppNotImportable": "app-not-importable",
    "BadCommand": "bad-command",
    "BadOption": "bad-option",
    "BadReply": "bad-reply",
    "BodyTooLarge": "body-too-large",
    "BootstrapCycle": "bootstrap-cycle",
    "BuildFailed": "build-failed",
    "ConfigNotFound": "config-not-found",
    "ClassOverride": "class-override",
    "Conflict": "conflict",
    "ControlUnavailable": "control-unavailable",
    "Denied": "denied",
    "DependencyCycle": "dependency-cycle",
    "DuplicateEnv": "duplicate-env",
    "DuplicateName": "duplicate-name",
    "DuplicateSubscription": "duplicate-subscription",
    "HandlerFailed": "event-failed",
    "InlineDigestMismatch": "inline-digest-mismatch",
    "InvalidApplication": "invalid-application",
    "InvalidDirective": "invalid-directive",
    "InvalidEvent": "invalid-event",
    "InvalidInput": "invalid-input",
    "InvalidManifest": "invalid-manifest",
    "InvalidName": "invalid-name",
    "InvalidPort": "invalid-port",
    "InvalidSecretReference": "invalid-secret-reference",
    "InvalidShadowed": "invalid-shadowed",
    "InvalidValue": "invalid-value",
    "MissingDependency": "missing-dependency",
    "MissingRequired": "missing-required",
    "NeedsAsyncOpen": "needs-async-open",
    "NoActiveApplication": "no-active-application",
    "NoCandidate": "no-candidate",
    "NotFound": "not-found",
    "NotInstalled": "not-installed",
    "NotOpen": "not-open",
    "NotRunning": "not-running",
    "OneiricError": "oneiric-error",
    "OpenTimeout": "open-timeout",
    "PlaintextSecret": "plaintext-secret",
    "PortInUse": "port-in-use",
    "ProtectedKey": "protected-key",
    "PushAuthConfig": "push-auth-config",
    "RateLimited": "rate-limited",
    "Refused": "refused",
    "ScopeClosed": "scope-closed",
    "ScopeLeak": "scope-leak",
    "SecretFallback": "secret-fallback",
    "SecretFieldNotFound": "secret-field-not-found",
    "SecretNotFound": "secret-not-found",
    "SecretOutOfScope": "secret-out-of-scope",
    "SecretUnavailable": "secret-unavailable",
    "SelectionDenied": "selection-denied-by-profile",
    "SelectionMissingCapability": "selection-missing-capability",
    "SelectionNotInstalled": "selection-not-installed",
    "SelectionUnknown": "selection-unknown",
    "SeveralRunning": "several-running",
    "StartFailed": "start-failed",
    "StoreCorrupt": "store-corrupt",
    "StoreNewer": "store-newer",
    "StoreUnavailable": "store-unavailable",
    "SwapFailed": "swap-failed",
    "TimedOut": "timed-out",
    "TransactionAborted": "transaction-aborted",
    "Unavailable": "unavailable",
    "Unhealthy": "unhealthy",
    "UnknownGeneration": "unknown-generation",
    "UnknownKey": "unknown-key",
    "UnknownProfile": "unknown-profile",
    "UnknownSlot": "unknown-slot",
    "Unsupported": "unsupported",
    "WrongLoop": "wrong-loop",
    "WrongType": "wrong-type",
}
CLASSES = [
    thing for name in errors.__all__ if isinstance(thing := getattr(errors, name), type) and thing is not Problem
]
EXAMPLES = list(failures())


def by_code(error: OneiricError) -> str:
    """Name a case after the code of its error; `-k trap` selects the traps of the engine, and no bootstrap."""
    return error.code.replace("bootstrap", "boot")


def test_every_exported_class_has_its_frozen_code() -> None:
    """A code is given once and for ever, to one class."""
    given = {kind.__name__: kind.code for kind in CLASSES}

    assert given == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_every_class_defines_its_own_code_and_docstring() -> None:
    """None inherits the code or the sentence of its parent."""
    assert [kind.__name__ for kind in CLASSES if "code" not in vars(kind)] == []
    assert [kind.__name__ for kind in CLASSES if not vars(kind).get("__doc__")] == []


def test_the_drawn_tree_names_every_class() -> None:
    """The module's docstring is the map, and a map lacks no place."""
    drawn = errors.__doc__ or ""

    assert [kind.__name__ for kind in CLASSES if kind.__name__ not in drawn.split()] == []


def test_every_class_has_an_example_and_every_golden_a_class() -> None:
    """A new class comes with its text, and a class that goes takes its text along."""
    assert sorted(type(error).__name__ for error in EXAMPLES) == sorted(CODES)
    assert sorted(path.stem for path in (GOLDENS / "errors").iterdir()) == sorted(CODES.values())


@pytest.mark.parametrize("error", EXAMPLES, ids=by_code)
def test_an_error_reads_as_its_golden(error: OneiricError) -> None:
    """The text a person reads changes only on purpose."""
    check_golden(f"errors/{error.code}.txt", str(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=by_code)
def test_an_error_says_what_to_do_and_hides_what_it_met(error: OneiricError) -> None:
    """A person gets a remedy, or the adapter's reason; the text of a foreign exception stays out of ours."""
    shown = json.dumps(error.problem.fields()) + str(error)

    assert error.fixes or isinstance(error, AdapterError)
    assert "hunter2" not in shown


@pytest.mark.parametrize("error", EXAMPLES, ids=by_code)
def test_the_problem_of_an_error_is_plain_json(error: OneiricError) -> None:
    """Every error can be printed by `--json`, always with the same five fields."""
    fields = error.problem.fields()

    assert json.loads(json.dumps(fields)) == fields
    assert list(fields) == ["code", "message", "path", "origin", "fixes"]


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        pytest.param(errors.Unavailable, True, id="unavailable"),
        pytest.param(errors.TimedOut, True, id="timed-out"),
        pytest.param(errors.RateLimited, True, id="rate-limited"),
        pytest.param(errors.TransactionAborted, True, id="transaction-aborted"),
        pytest.param(errors.HandlerFailed, True, id="event-failed"),
        pytest.param(errors.NotFound, False, id="not-found"),
        pytest.param(errors.Denied, False, id="denied"),
        pytest.param(errors.InvalidInput, False, id="invalid-input"),
        pytest.param(errors.InvalidEvent, False, id="invalid-event"),
    ],
)
def test_only_passing_trouble_is_retryable(kind: type[OneiricError], retryable: bool) -> None:
    """Trying again helps against an outage, and never against a wrong argument."""
    assert kind.retryable is retryable


def test_a_lower_floor_adds_nothing_and_a_higher_one_adds_path_and_origin() -> None:
    """The block holds only the lines for which there is something to say."""
    bare = Refused("the shop is closed")
    full = Refused("the shop is closed", path=("a", "b"), origin=EnvOrigin("SHOP"), fixes=("open it", "wait"))

    assert str(bare) == "error[refused] the shop is closed"
    assert str(full) == (
        "error[refused] the shop is closed\n  needed by  a -> b\n  origin     SHOP\n  fix: open it   or   wait"
    )


def test_an_adapter_error_is_cut_at_300_characters() -> None:
    """A talkative client does not flood the log."""
    error = AdapterError("x" * 1000, category="cache", name="redis", operation="get")

    assert len(str(error)) == 300
    assert str(error).startswith("cache/redis get: adapter-error (xxx")


@pytest.mark.parametrize(
    ("name", "known", "fixes"),
    [
        pytest.param("reds", ["redis", "memory"], ("did you mean redis?",), id="one is near"),
        pytest.param("cach", ["cache", "caches"], ("did you mean cache or caches?",), id="two are near"),
        pytest.param("xyz", ["b", "a"], ("choose one of: a, b",), id="none is near"),
        pytest.param("xyz", [], (), id="there is nothing to choose"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_ones(name: str, known: list[str], fixes: tuple[str, ...]) -> None:
    """A typing error costs one look."""
    assert did_you_mean(name, known) == fixes


def test_nearest_gives_at_most_as_many_as_asked() -> None:
    """`most` bounds the offer, best first."""
    assert nearest("cache", ["caches", "cached", "cache1", "cache"], most=2) == ("cache", "caches")


def test_all_faults_of_an_application_stand_in_one_text() -> None:
    """A faulty application is mended in one go, not fault by fault."""
    error = errors.InvalidApplication("shop", [errors.UnknownSlot("a"), errors.UnknownSlot("b")])

    assert error.message == "application shop has 2 faults"
    assert [line.split(" ")[0] for line in str(error).splitlines() if line.startswith("error[")] == [
        "error[invalid-application]",
        "error[unknown-slot]",
        "error[unknown-slot]",
    ]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        pytest.param("pricng", "pricng", id="a name"),
        pytest.param("OrderBook", "order_book", id="a type"),
        pytest.param("list[HTTPRoute]", "list_httproute", id="a generic type"),
    ],
)
def test_a_missing_dependency_offers_a_declaration_that_is_taken(wanted: str, name: str) -> None:
    """The fix can be pasted: a slot may have that name."""
    assert errors.MissingDependency(wanted).fixes == (f"declare it: app.slot(...) or app.provide('{name}')",)
    assert Application("shop").provide(name)(object)
