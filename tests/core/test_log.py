"""The log: lines that can be read and parsed, and secrets that never reach them."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from oneiric.core.log import (
    HIDDEN,
    configure,
    fingerprint,
    is_secret,
    is_secret_name,
    log,
    redact,
    remember_secret,
    remember_userinfo,
    scrub,
    without_secrets,
)

CANARY = "canary9f3b/x+y="


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log of one test goes."""
    return io.StringIO()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(
            "connect redis://user:canary@cache.example.org:6379/0",
            "connect redis://******@cache.example.org:6379/0",
            id="user info in a URL",
        ),
        pytest.param("redis://:canary@h/0", "redis://******@h/0", id="password without a user"),
        pytest.param("https://canary@example.org/x", "https://******@example.org/x", id="token as user"),
        pytest.param("postgresql+asyncpg://u:c@nary@h/db", "postgresql+asyncpg://******@h/db", id="@ in the password"),
        pytest.param("amqp://u:can/ary@h/v", "amqp://******@h/v", id="slash in the password"),
        pytest.param(
            "GET http://h:8080/users/@me",
            "GET http://h:8080/users/@me",
            id="@ in the path behind a port is no user info",
        ),
        pytest.param("https://example.org/a@b", "https://example.org/a@b", id="@ in the path is no user info"),
        pytest.param("Authorization: Bearer canary.abc-123", "Authorization: Bearer ******", id="bearer header"),
        pytest.param("authorization: bearer canary.abc-123", "authorization: bearer ******", id="lower-case bearer"),
        pytest.param("Authorization: Basic Y2FuYXJ5Cg==", "Authorization: Basic ******", id="basic header"),
        pytest.param("password=canary next", "password=****** next", id="name=value"),
        pytest.param("redis.password: canary", "redis.password: ******", id="name: value"),
        pytest.param("password = 'two canaries' end", "password = ****** end", id="quoted value with a blank"),
        pytest.param('{"api_key": "canary", "n": 1}', '{"api_key": ******, "n": 1}', id="inside JSON"),
        pytest.param("?access_token=canary&n=1", "?access_token=******&n=1", id="query of a URL"),
        pytest.param("X-Api-Key: canary", "X-Api-Key: ******", id="header with a key"),
        pytest.param("AWS_SECRET_ACCESS_KEY=canary", "AWS_SECRET_ACCESS_KEY=******", id="environment variable"),
        pytest.param("password=secret://db-root", "password=******", id="a reference after an equals sign"),
        pytest.param("see secret://db-root#field", "see secret://db-root#field", id="a reference is no secret"),
        pytest.param(
            "valid integer [type=int_parsing, input_value='canary', input_type=str]",
            "valid integer [type=int_parsing, input_value=******, input_type=str]",
            id="what pydantic quotes",
        ),
        pytest.param("the token expired", "the token expired", id="plain words"),
        pytest.param("mail to shop@example.org", "mail to shop@example.org", id="mail address"),
    ],
)
def test_credentials_inside_a_text_are_hidden_and_the_rest_stays(text: str, shown: str) -> None:
    """What helps a person is kept: host, path, names."""
    assert scrub(text) == shown


@given(st.text())
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    """A text may pass several borders, each of which scrubs."""
    assert scrub(scrub(text)) == scrub(text)


@given(
    st.from_regex(r"[a-z]{2,8}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=30).map(lambda tail: CANARY + tail),
)
def test_no_password_in_a_url_survives(user: str, password: str) -> None:
    """Whatever stands between the colon and the host is hidden, also what no URL should hold."""
    shown = scrub(f"cannot connect to redis://{user}:{password}@cache.example.org:6379/0: refused")

    assert "canary" not in shown
    assert "cache.example.org:6379/0: refused" in shown


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        pytest.param("password", True, id="password"),
        pytest.param("redis.password", True, id="dotted"),
        pytest.param("DB_DSN", True, id="upper case"),
        pytest.param("api_key", True, id="key"),
        pytest.param("credentials", True, id="credentials"),
        pytest.param("refresh_token", True, id="token"),
        pytest.param("secrets.host", False, id="only the last part counts"),
        pytest.param("host", False, id="host"),
        pytest.param("", False, id="no name"),
    ],
)
def test_a_field_is_secret_by_its_name(name: str, secret: bool) -> None:
    """A secret in a plain `str` field is still recognised."""
    assert is_secret_name(name) is secret


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        pytest.param("password", "canary", HIDDEN, id="secret name"),
        pytest.param("host", SecretStr("canary"), HIDDEN, id="secret type"),
        pytest.param("host", SecretBytes(b"canary"), HIDDEN, id="secret bytes"),
        pytest.param("password", None, None, id="an absent secret is shown as absent"),
        pytest.param("token_sent", True, True, id="a truth value is no secret"),
        pytest.param("token", 12345, HIDDEN, id="a number under a secret name"),
        pytest.param("tokens", ["canary"], HIDDEN, id="a list under a secret name"),
        pytest.param(
            "headers", {"Authorization": "Bearer canary-canary"}, {"Authorization": "Bearer ******"}, id="map"
        ),
        pytest.param(
            "settings",
            {"cache": {"redis": {"password": "canary", "port": 6379}}},
            {"cache": {"redis": {"password": HIDDEN, "port": 6379}}},
            id="map in a map",
        ),
        pytest.param("urls", ("redis://u:canary@h/0", 1), ["redis://******@h/0", 1], id="list of URLs"),
        pytest.param("parts", [{"secret": "canary"}, [SecretStr("canary")]], [{"secret": HIDDEN}, [HIDDEN]], id="deep"),
        pytest.param("error", ValueError("password=canary"), "password=******", id="an exception as a field"),
        pytest.param("latency_s", float("inf"), "inf", id="a number that JSON lacks"),
        pytest.param("port", 6379, 6379, id="a plain number"),
    ],
)
def test_a_field_is_shown_without_secrets(name: str, value: object, shown: object) -> None:
    """By type, by name, or inside its text: a secret is hidden, and all else is shown as it is."""
    assert redact(name, value) == shown


ODD = "o'dd\"/+ é%\\<\U0001f511\nend"


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(str, id="as it is"),
        pytest.param(repr, id="for Python"),
        pytest.param(lambda text: repr(repr(text)), id="for Python, twice"),
        pytest.param(ascii, id="for Python in ASCII"),
        pytest.param(lambda text: repr(text.encode()), id="as bytes"),
        pytest.param(json.dumps, id="for JSON"),
        pytest.param(lambda text: json.dumps(json.dumps(text, ensure_ascii=False)), id="for JSON, twice"),
        pytest.param(quote, id="for a path"),
        pytest.param(lambda text: quote(quote(text, safe="")), id="for a URL, twice"),
        pytest.param(html.escape, id="for HTML"),
        pytest.param(lambda text: text.encode().hex(), id="in hex"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode().rstrip("="), id="in base64"),
    ],
)
def test_a_remembered_secret_is_hidden_however_it_is_spelled(spell: Callable[[str], str]) -> None:
    """What wraps an error, and what wraps that, escapes a secret in a way of its own."""
    remember_secret(SecretStr(ODD))

    shown = without_secrets(f"refused {spell(ODD)} twice")

    assert HIDDEN in shown
    assert shown.translate(str.maketrans("", "", "\"'\\b")) == "refused ****** twice"


@pytest.mark.parametrize("before", ["", "u", "u:", "user:"])
def test_a_remembered_secret_is_hidden_behind_a_user_in_base64(before: str) -> None:
    """A header of basic authentication holds it at any of three places; at most a byte on either side is left."""
    remember_secret("canary-canary")

    shown = without_secrets(base64.b64encode(f"{before}canary-canary:x".encode()).decode())

    assert HIDDEN in shown
    assert len(shown.replace(HIDDEN, "")) <= 4 * (len(before) // 3 + 3)


@pytest.mark.parametrize(
    ("value", "hidden", "kept"),
    [
        pytest.param(["canary1", {"a": SecretStr("canary2")}], ["canary1", "canary2"], ["a"], id="list and map"),
        pytest.param(SecretBytes(b"canary\xff1"), ["canary\\xff1"], [], id="bytes that are no text"),
        pytest.param('{"user": {"pin": "canary1"}}', ["canary1", '{"user": {"pin": "canary1"}}'], ["pin"], id="JSON"),
        pytest.param(b'["canary1"]', ["canary1"], [], id="JSON in bytes"),
        pytest.param("-" * 5 + "\ncanary1canary1canary1\nshort", ["canary1canary1canary1"], ["short"], id="long line"),
        pytest.param("  canary1\n", ["canary1"], [], id="blanks around it"),
        pytest.param("no", [], ["no"], id="too short"),
        pytest.param(None, [], ["None"], id="nothing"),
        pytest.param(True, [], ["True"], id="a truth value"),
    ],
)
def test_every_text_of_a_remembered_value_is_hidden(value: object, hidden: list[str], kept: list[str]) -> None:
    """A text that is short would turn up in words that are no secrets, and is passed over."""
    remember_secret(value)

    assert [without_secrets(f"<{text}>") for text in hidden] == ["<******>"] * len(hidden)
    assert [without_secrets(text) for text in kept] == kept


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        pytest.param("amqp://shop:can%40ary@h/v", ["can%40ary", "can@ary"], id="password, decoded too"),
        pytest.param("https://canary1@h", ["canary1"], id="user alone"),
        pytest.param("redis://:canary1@h", ["canary1"], id="password alone"),
    ],
)
def test_the_password_of_a_url_is_hidden_without_its_url(url: str, hidden: list[str]) -> None:
    """A driver takes a URL apart, and quotes the part that was refused."""
    remember_userinfo(f"see {url} there")

    assert [without_secrets(f"<{text}>") for text in hidden] == ["<******>"] * len(hidden)


def test_the_longest_secret_is_hidden_first() -> None:
    """One that is part of another one leaves nothing of it."""
    remember_secret("canary")
    remember_secret("canary-and-more")

    assert without_secrets("canary-and-more, canary") == "******, ******"


def test_secrets_that_threads_remember_at_once_are_all_known() -> None:
    """None is lost because another one was noted at the same moment."""
    names = [f"canary-{number:03}-end" for number in range(200)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember_secret, names))

    assert without_secrets(" ".join(names)) == " ".join(["******"] * 200)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part",
    [
        pytest.param("a" * 40, id="a long word"),
        pytest.param("\\" * 40, id="backslashes"),
        pytest.param("https://u:", id="URLs without an end"),
        pytest.param("x://a:b@", id="user info"),
        pytest.param("x://a:b@ ", id="user info of many URLs"),
        pytest.param("x://@/:", id="URLs without a user"),
        pytest.param("password=", id="names"),
        pytest.param("input_value=", id="quotes of pydantic"),
        pytest.param("Bearer ", id="headers"),
        pytest.param("canary", id="beginnings of a secret"),
        pytest.param("%25%25%25", id="percent signs"),
    ],
)
def test_a_long_hostile_text_is_scrubbed_to_its_end(part: str) -> None:
    """The time grows with the length and not with its square, which at this length would be the time limit's."""
    remember_secret('canary\\\\"canary' * 20)
    remember_secret("\\'\\'\\'canary")

    shown = scrub(part * (1_000_000 // len(part)) + " end")

    assert shown.endswith(("end", HIDDEN))


@pytest.mark.parametrize("is_set_up", [pytest.param(False, id="loguru as it comes"), pytest.param(True, id="set up")])
def test_a_sink_that_is_not_ours_gets_the_redacted_text_of_an_error(stream: io.StringIO, is_set_up: bool) -> None:
    """loguru's own sink shows the values of variables: of an error it gets the text alone, the log set up or not."""
    remember_secret(CANARY)
    log().remove()
    if is_set_up:
        configure(stream=io.StringIO())
    log().add(stream, diagnose=True, backtrace=True)

    try:
        raise ValueError(f"refused {CANARY}")
    except ValueError:
        log().exception("failed")

    assert "canary" not in stream.getvalue()
    assert "ValueError: refused ******" in stream.getvalue()


def test_fingerprints_compare_secrets_without_telling_them() -> None:
    """Four hex digits: equal for equal secrets in one process, whatever wraps them."""
    assert fingerprint("canary") == fingerprint(SecretStr("canary")) == fingerprint(b"canary")
    assert fingerprint("canary") != fingerprint("canary" * 2)
    assert len(fingerprint("canary")) == 4
    assert is_secret(SecretStr("canary"))
    assert not is_secret("canary")


@pytest.mark.parametrize("as_json", [pytest.param(False, id="text"), pytest.param(True, id="json")])
def test_no_canary_reaches_a_line(stream: io.StringIO, as_json: bool) -> None:
    """Message, arguments, fields, bound context, chained exceptions: a secret gets through none of them."""
    configure(as_json=as_json, stream=stream, context={"app": "shop", "api_key": CANARY})

    log().info("connect {}", f"redis://u:{CANARY}@h/0")
    log().info("with field", password=CANARY, settings={"cache": {"token": CANARY}}, wrapped=SecretStr(CANARY))
    log().bind(dsn=CANARY).warning("Authorization: Bearer " + CANARY)
    try:
        try:
            raise ValueError(f"password={CANARY}")
        except ValueError as error:
            raise RuntimeError(f"amqp://u:{CANARY}@h/v") from error
    except RuntimeError:
        log().exception("failed")

    written = stream.getvalue()
    assert "canary9f3b" not in written
    assert "RuntimeError: amqp://******@h/v" in written
    assert "ValueError: password=******" in written


def test_a_sink_of_the_application_gets_redacted_records_too(stream: io.StringIO) -> None:
    """Redaction happens before any sink, so that no second way around it exists."""
    configure(stream=io.StringIO())
    log().add(stream, format="{message} {extra} {exception}", diagnose=True)

    try:
        raise ValueError(f"password={CANARY}")
    except ValueError:
        log().bind(password=CANARY).exception("token={}", CANARY)

    assert "canary" not in stream.getvalue()
    assert "token=******" in stream.getvalue()


def test_a_json_line_is_one_object_with_the_fields_of_the_platform(stream: io.StringIO) -> None:
    """Collectors read `severity`, `message` and `time`; context and fields stand beside them."""
    configure(as_json=True, stream=stream, context={"app": "shop", "profile": "serverless"})

    log().info("slot opened", slot="cache")

    line = json.loads(stream.getvalue())
    assert {name: line[name] for name in ("severity", "message", "app", "profile", "slot", "logger")} == {
        "severity": "INFO",
        "message": "slot opened",
        "app": "shop",
        "profile": "serverless",
        "slot": "cache",
        "logger": __name__,
    }
    assert line["time"].count(":") >= 2


@given(st.text(), st.text(), st.floats())
def test_every_json_line_is_one_line_of_valid_json(message: str, value: str, number: float) -> None:
    """Line breaks, colours, lone surrogates, infinities: what is logged neither splits nor spoils a line."""
    stream = io.StringIO()
    configure(as_json=True, stream=stream)

    log().opt(raw=False).info("{}", message, field=value, number=number)

    text = stream.getvalue()
    assert text.encode().count(b"\n") == 1
    assert len(text.splitlines()) == 1
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_field_of_the_application_cannot_pose_as_ours(stream: io.StringIO) -> None:
    """`severity` and `message` are what the log says, not what somebody bound."""
    configure(as_json=True, stream=stream)

    log().bind(severity="DEBUG", time="never").error("down")

    line = json.loads(stream.getvalue())
    assert line["severity"] == "ERROR"
    assert line["time"] != "never"


def test_a_text_line_holds_no_colour_and_forges_no_second_line(stream: io.StringIO) -> None:
    """What a client sends cannot move the cursor of the person who reads the log, nor invent a line."""
    configure(stream=stream)

    log().info("got {}", "\x1b[31mred\x1b[0m\n12:00:00.000 ERROR   forged", who="a\rb\u2028c")

    assert stream.getvalue().count("\n") == 1
    assert r"got \x1b[31mred\x1b[0m\n12:00:00.000 ERROR   forged who=a\rb\u2028c" in stream.getvalue()


def test_a_text_line_is_time_level_message_fields(stream: io.StringIO) -> None:
    """A person reads what happened first; app and profile, the same on every line, are left out."""
    configure(stream=stream, context={"app": "shop", "profile": "default"})

    log().warning("slot closed", slot="cache", latency_s=0.25)

    time, rest = stream.getvalue().rstrip("\n").split(" ", 1)
    assert len(time) == len("12:00:00.000")
    assert rest == "WARNING slot closed slot=cache latency_s=0.25"


def test_a_traceback_follows_its_line_with_its_line_breaks(stream: io.StringIO) -> None:
    """Tracebacks stay readable, and free of control characters from the error's text."""
    configure(stream=stream)

    try:
        raise ValueError("\x1b[31mred")
    except ValueError:
        log().exception("failed")

    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("ERROR   failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == r"ValueError: \x1b[31mred"


@pytest.mark.parametrize(
    ("level", "messages"),
    [
        pytest.param("DEBUG", ["debug", "info", "error"], id="debug"),
        pytest.param("INFO", ["info", "error"], id="info"),
        pytest.param("ERROR", ["error"], id="error"),
    ],
)
def test_lines_below_the_level_are_not_written(stream: io.StringIO, level: str, messages: list[str]) -> None:
    """The level is the lowest one that is written."""
    configure(level=level, as_json=True, stream=stream)

    log().debug("debug")
    log().info("info")
    log().error("error")

    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == messages


def test_an_unknown_level_is_refused_and_changes_nothing(stream: io.StringIO) -> None:
    """A wrong level does not silence the log that is there."""
    configure(stream=stream)

    with pytest.raises(ValueError, match="LOUD"):
        configure(level="LOUD", stream=io.StringIO())

    log().info("still here")
    assert "still here" in stream.getvalue()


def test_a_second_set_up_replaces_the_first(stream: io.StringIO) -> None:
    """A line is written once, however often an application is built."""
    configure(stream=io.StringIO())
    configure(stream=stream)

    log().info("once")

    assert stream.getvalue().count("once") == 1


def test_a_header_of_which_a_part_is_known_is_hidden_whole() -> None:
    """What was remembered as secret may be a part of a token: no rest of it stays."""
    remember_secret("known-part")

    assert scrub("Authorization: Bearer known-part.abc-123") == "Authorization: Bearer ******"


def test_lines_follow_standard_error_wherever_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test runner replaces it for each test, and closes it."""
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", first)
    configure()
    log().info("one")

    monkeypatch.setattr("sys.stderr", second)
    first.close()
    log().info("two")

    assert second.getvalue().endswith("two\n")


def test_a_patcher_of_the_application_may_add_to_the_message(stream: io.StringIO) -> None:
    """What our own line shows behind it is shown once, and a field of that name takes nothing away."""
    configure(stream=stream)
    patched = log().patch(lambda record: record.update(message=record["message"] + " [request 7]"))

    try:
        raise ValueError("refused")
    except ValueError:
        patched.exception("failed")
    log().info("one\ntwo", traceback="two")

    assert stream.getvalue().count("Traceback") == 1
    assert "failed [request 7]\n" in stream.getvalue()
    assert "one\\ntwo" in stream.getvalue()
