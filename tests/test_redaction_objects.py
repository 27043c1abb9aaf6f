"""Secrets inside the process: what repr, pickle, exceptions and sinks of the application make of them."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import tenacity
from loguru import logger
from pydantic import Field, SecretBytes, SecretStr, TypeAdapter, ValidationError, field_validator

from oneiric import AdapterSettings, Application, Inputs, LayerContainer, OneiricError, Settings
from oneiric.containers.graph_dot import as_dot
from oneiric.containers.graph_mermaid import as_mermaid
from oneiric.containers.graph_page import as_html
from oneiric.containers.graph_text import as_text
from oneiric.core.directives import Directive
from oneiric.core.errors import InvalidValue
from oneiric.core.log import configure, log, remember_secret
from oneiric.core.origins import CodeOrigin
from oneiric.core.secrets import Finding, Opened
from oneiric.core.sources import ConfigFile, Said, read_flags
from oneiric.core.values import Decision
from oneiric.runtime.bridge import bridged_logs
from oneiric.testing.fake_secrets import FakeSecrets
from tests.support.canaries import found_in, text_of

CANARY = text_of("env variable")


class TillSettings(Settings, section="till"):
    """Secrets by type, by name and from the store."""

    pin: SecretStr = SecretStr(text_of("code default"))
    raw: SecretBytes = SecretBytes(b"")
    stored: SecretStr = SecretStr("")
    api_key: str = ""
    url: str = ""
    pins: list[SecretStr] = Field(default=[])
    limit: int = 1

    @field_validator("limit")
    @classmethod
    def _check(cls, limit: int) -> int:
        if limit > 9:
            raise ValueError(f"no limit for {text_of('explicit override')}")
        return limit


class GuardedSettings(AdapterSettings):
    """Settings of an adapter with a password."""

    password: SecretStr | None = None
    doors: list[dict[str, str]] = Field(default=[])
    tries: int = 3


def shop(**environ: str) -> Application:
    """Build an application with a store in memory and a secret in every layer."""
    said = {
        "till.api_key": text_of("explicit override"),
        "till.url": f"amqp://u:{quote(text_of('user info of a URL'), safe='')}@h/v",
        "till.pins": [text_of("item of a list")],
        "till.raw": text_of("bytes"),
    }
    store = FakeSecrets({"till-stored": text_of("secrets layer")})
    app = Application("shop", inputs=Inputs(environ={"ONEIRIC_TILL__PIN": CANARY, **environ}))
    app.declare_section("till", TillSettings)
    app.override(LayerContainer("explicit", {"secrets": store}, settings=said))
    app.configure()
    return app


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log of one test goes."""
    return io.StringIO()


def answers() -> Iterator[Any]:
    """Yield what an application says about itself, as text and as an object."""
    app = shop()
    settings = app.section("till")
    assert settings.stored.get_secret_value() == text_of("secrets layer")
    yield from (app, app.layers_in(app.profile), repr(settings), settings.model_dump_json(exclude={"api_key", "url"}))
    for explained in (app.explain("till.stored"), app.explain("till.pin"), app.explain("secrets"), *app.config()):
        yield from (explained, str(explained), json.dumps(explained.fields()))
    graph = app.graph()
    yield from (graph, graph.json(), as_text(graph), as_dot(graph), as_mermaid(graph), as_html(graph))
    yield app.secrets.cache.look("till-stored")


def test_an_application_tells_no_secret_of_itself() -> None:
    """Explanations, graphs in all forms, settings, layers and findings: neither their text nor their repr."""
    told = [repr(answer) for answer in answers()] + [str(answer) for answer in answers()]

    assert len(told) > 40
    assert found_in("\n".join(told)) == []


HOLDERS = (
    pytest.param(Opened(CANARY), id="value from the store"),
    pytest.param(Finding("found", CANARY.encode(), "1"), id="finding"),
    pytest.param(Said(CANARY, CodeOrigin("shop:1")), id="word of a layer"),
    pytest.param(read_flags(settings=[f"till.pin={CANARY}"]), id="tables"),
    pytest.param(LayerContainer("env", settings={"till.pin": CANARY}), id="layer"),
    pytest.param(TillSettings(pin=SecretStr(CANARY)), id="settings"),
    pytest.param(GuardedSettings(password=SecretStr(CANARY)), id="settings of an adapter"),
    pytest.param(GuardedSettings(doors=[{"pass": CANARY}]), id="settings with a secret by name"),
)
PASSING = (
    pytest.param(Directive("append", [CANARY]), id="directive"),
    pytest.param(Decision(CANARY, ()), id="decision"),
    pytest.param(ConfigFile("oneiric.toml", {"settings": {"till": {"pin": CANARY}}}), id="file"),
    pytest.param(Inputs(settings=[f"till.pin={CANARY}"], environ={"ONEIRIC_TILL__PIN": CANARY}), id="inputs"),
)


@pytest.mark.parametrize("value", [*HOLDERS[:-1], *PASSING])
def test_no_repr_holds_a_secret(value: object) -> None:
    """What holds a secret shows it in no debugger, assertion or log line."""
    assert found_in(repr(value)) == []
    assert found_in(str([value])) == []


@pytest.mark.parametrize("value", HOLDERS)
def test_no_pickle_holds_a_secret(value: object) -> None:
    """What holds a secret refuses to be pickled, since a pickle is written somewhere."""
    with pytest.raises(TypeError, match="may hold a secret, and is not pickled"):
        pickle.dumps(value)


def test_settings_without_a_secret_can_be_pickled_and_all_can_be_copied() -> None:
    """Worker processes take settings; a copy inside the process is no leak."""
    plain, guarded = GuardedSettings(tries=4), GuardedSettings(password=SecretStr(CANARY))

    assert pickle.loads(pickle.dumps(plain)) == plain
    assert copy.deepcopy(guarded) == guarded == guarded.model_copy()


def test_what_tells_about_secrets_can_be_pickled_without_them() -> None:
    """Explanations and graphs are plain data, for other processes too."""
    app = shop()
    app.section("till")

    told = b"".join(pickle.dumps(one) for one in (app.explain("till.stored"), *app.config(), app.graph()))

    assert b"till.stored" in told
    assert found_in(told) == []


def test_an_error_holds_no_secret_that_a_validator_quotes() -> None:
    """Its text, arguments, repr, fields and pickle are made without it, and no error of pydantic is chained."""
    app = shop(ONEIRIC_TILL__LIMIT="10")

    with pytest.raises(InvalidValue) as caught:
        app.section("till")

    error = caught.value
    told = [str(error), repr(error), repr(error.args), repr(vars(error)), json.dumps(error.problem.fields())]
    told += ["".join(traceback.format_exception(error)), repr(error.__context__), repr(error.__cause__)]
    assert "no limit for ******" in str(error)
    assert (error.__cause__, error.__context__) == (None, None)
    assert found_in("\n".join(told)) == []
    assert found_in(pickle.dumps(error)) == []


def misfit(text: str) -> None:
    """Raise pydantic's own error, which quotes the beginning and the end of what does not fit."""
    TypeAdapter(int).validate_python(text)


def chained(text: str) -> None:
    """Raise an error with a cause and a context."""
    try:
        misfit(text)
    except ValidationError as error:
        error.add_note(text)
        raise RuntimeError(text) from error


def grouped(text: str) -> None:
    """Raise a group that holds another one."""
    raise ExceptionGroup(text, [KeyError(text), ExceptionGroup("inner", [OneiricError(text), OSError(2, text)])])


def retried(text: str) -> None:
    """Fail twice, with a hook of tenacity that logs the failure."""
    hook = tenacity.before_sleep_log(logging.getLogger("shop.sdk"), logging.ERROR, exc_info=True)
    tenacity.Retrying(stop=tenacity.stop_after_attempt(2), before_sleep=hook, reraise=True)(misfit, text)


def warned(text: str) -> None:
    """Warn, then fail."""
    warnings.warn(text, UserWarning, stacklevel=1)
    raise ValueError(text)


@pytest.mark.parametrize("as_json", [pytest.param(False, id="text"), pytest.param(True, id="JSON")])
@pytest.mark.parametrize("is_set_up", [pytest.param(True, id="set up"), pytest.param(False, id="loguru as it comes")])
@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(misfit, id="pydantic"),
        pytest.param(chained, id="cause and context"),
        pytest.param(grouped, id="group"),
        pytest.param(retried, id="tenacity"),
        pytest.param(warned, id="warning"),
    ],
)
def test_no_line_of_ours_holds_a_secret(
    stream: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[[str], None],
    is_set_up: bool,
    as_json: bool,
) -> None:
    """Also where the application never set up the log, and loguru shows the values of variables."""
    remember_secret(CANARY)
    if is_set_up:
        configure(level="DEBUG", as_json=as_json, stream=stream)
    else:
        logger.remove()
    logger.add(stream, serialize=as_json, diagnose=True, backtrace=True)

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with bridged_logs(), contextlib.redirect_stderr(stream), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            fail(CANARY)
        except Exception as error:  # border: every kind of error is logged alike
            log().opt(exception=error).error("it failed with {}", error, said=error, parts={CANARY: [CANARY]})

    assert "it failed with" in stream.getvalue()
    assert "Traceback" in stream.getvalue()
    assert found_in(stream.getvalue()) == []


@pytest.mark.parametrize("is_set_up", [pytest.param(False, id="loguru as it comes"), pytest.param(True, id="set up")])
def test_a_traceback_without_an_exception_shows_no_values_of_variables(stream: io.StringIO, is_set_up: bool) -> None:
    """What loguru is given may be a type and a traceback, and the value missing."""
    log().remove()
    if is_set_up:
        configure(stream=io.StringIO())
    log().add(stream, diagnose=True, backtrace=True)
    password = "".join(["hunter", "2"])

    try:
        raise ValueError(password and "refused")
    except ValueError as error:
        log().opt(exception=(ValueError, None, error.__traceback__)).error("failed")

    assert "failed" in stream.getvalue()
    assert "test_redaction_objects.py" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
