"""Where things come from, and on which line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.origins import (
    CodeOrigin,
    EnvFileOrigin,
    EnvOrigin,
    FileOrigin,
    FlagOrigin,
    Origin,
    OverrideOrigin,
    SecretOrigin,
    caller,
    defined_at,
    find_line,
    split_key,
)

DOCUMENT = """\
# cache = "in a comment"
profile = "serverless"   # [select]

[select]
cache = "redis"
"cache.sessions" = "memory"
queue.nested = "dotted"

[settings.cache.redis]
host = "10.2.0.7"
text = \"\"\"
[select]
database = "inside a text"
\"\"\"
tags = [
  "a = b",
  ["nested"],   # ] not the end
]
tls = { verify = true, ca = { path = "ca.pem" } }
port = 6379

[settings."cache.sessions".redis]
'host' = 'literal'
"odd = name" = 1
"bracket]" = 2

[profiles.staging.select]
cache = 'memory'

[[orders.rules]]
name = "first"
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A file that uses most of what TOML has."""
    path = tmp_path / "oneiric.toml"
    path.write_text(DOCUMENT, "utf-8")
    return path


@pytest.mark.parametrize(
    ("key", "line"),
    [
        pytest.param("profile", 2, id="top level"),
        pytest.param("select", 4, id="table header"),
        pytest.param("select.cache", 5, id="plain key, not the comment above"),
        pytest.param('select."cache.sessions"', 6, id="quoted key with a dot"),
        pytest.param("select.cache.sessions", None, id="the same without quotes is another key"),
        pytest.param("select.queue.nested", 7, id="dotted key"),
        pytest.param("select.queue", 7, id="a table that exists by a dotted key"),
        pytest.param("settings.cache.redis.host", 10, id="key below a dotted header"),
        pytest.param("settings.cache", 9, id="a table that exists by a deeper header"),
        pytest.param("select.database", None, id="a line inside a text sets nothing"),
        pytest.param("settings.cache.redis.tags", 15, id="array over several lines"),
        pytest.param("settings.cache.redis.tls.verify", 19, id="inline table"),
        pytest.param("settings.cache.redis.tls.ca.path", 19, id="inline table in an inline table"),
        pytest.param("settings.cache.redis.port", 20, id="key after an array and an inline table"),
        pytest.param('settings."cache.sessions".redis.host', 23, id="literal key below a quoted header"),
        pytest.param('settings."cache.sessions".redis."odd = name"', 24, id="key with an equals sign"),
        pytest.param('settings."cache.sessions".redis."bracket]"', 25, id="key with a bracket"),
        pytest.param("profiles.staging.select.cache", 28, id="same last name as an earlier key"),
        pytest.param("orders.rules.name", 31, id="array of tables"),
        pytest.param("profile.more", None, id="below a scalar"),
        pytest.param("select.nothing", None, id="absent key of a table that is there"),
        pytest.param("nothing", None, id="absent key"),
    ],
)
def test_the_line_of_a_key_is_where_an_editor_shows_it(document: Path, key: str, line: int | None) -> None:
    """A person who opens the file at that line sees the key."""
    assert FileOrigin(str(document), key).line == line


def test_the_document_of_these_tests_is_toml() -> None:
    """The table above speaks of a file that the parser takes."""
    assert tomllib.loads(DOCUMENT)["settings"]["cache"]["redis"]["port"] == 6379


def test_windows_line_ends_do_not_shift_lines(tmp_path: Path) -> None:
    """CRLF counts as one line break."""
    path = tmp_path / "oneiric.toml"
    path.write_bytes(b'[select]\r\ncache = "redis"\r\nqueue = "memory"\r\n')

    assert FileOrigin(str(path), "select.queue").line == 3


def test_a_separator_inside_a_text_is_no_line_break(tmp_path: Path) -> None:
    """TOML ends lines with LF only; Unicode's other separators are text."""
    path = tmp_path / "oneiric.toml"
    path.write_text('title = "one\u2028two\x85three"\ncache = "redis"\n', "utf-8")

    assert FileOrigin(str(path), "cache").line == 2


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="the file is gone"),
        pytest.param(b"\xff\xfe", id="the file is no text"),
        pytest.param(b"", id="the file is empty"),
        pytest.param(b'cache = "open\n[select', id="the file is no TOML any more"),
    ],
)
def test_a_file_that_changed_since_has_no_line_and_raises_nothing(tmp_path: Path, content: bytes | None) -> None:
    """The origin still names the file; a message about one fault must not become another."""
    path = tmp_path / "oneiric.toml"
    if content is not None:
        path.write_bytes(content)
    origin = FileOrigin(str(path), "select.cache")

    assert origin.line is None
    assert str(origin) == str(path)


# Keys as people write them, and quoted ones with what structures TOML elsewhere.
BARE = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
QUOTED = st.from_regex(r'"[.=#\[\]{}][a-z.=#\[\]{}]{0,7}"', fullmatch=True)  # never the same key as a bare one
VALUES = st.sampled_from(
    ['"plain"', "'literal = [x]'", "7", "[1, 2]", '[\n  "a = 1", # "]\n  [2],\n]', '"""\n[t]\nk = 1\n"""', "{ a = 1 }"]
)


@given(
    tables=st.dictionaries(
        st.one_of(BARE, QUOTED), st.dictionaries(st.one_of(BARE, QUOTED), VALUES, min_size=1, max_size=5), max_size=5
    )
)
def test_every_key_of_any_document_is_found_on_the_line_that_wrote_it(tables: dict[str, dict[str, str]]) -> None:
    """Whatever stands between, the line is that of the statement."""
    lines: list[str] = []
    written: dict[str, int] = {}
    for table, keys in tables.items():
        written[table] = len(lines) + 1
        lines.append(f"[{table}]  # k = 1")
        for key, value in keys.items():
            written[f"{table}.{key}"] = len(lines) + 1
            lines += f"{key} = {value}".split("\n")
    text = "\n".join(lines)
    tomllib.loads(text)

    found = {key: find_line(text, key) for key in written}

    assert found == written


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_has_a_line_or_none(text: str, key: str) -> None:
    """The look-up never raises, whatever became of the file."""
    line = find_line(text, key)

    assert line is None or 1 <= line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        pytest.param("cache", ["cache"], id="one part"),
        pytest.param("select.cache", ["select", "cache"], id="two parts"),
        pytest.param('select."cache.sessions"', ["select", "cache.sessions"], id="double quotes"),
        pytest.param("select.'cache.sessions'", ["select", "cache.sessions"], id="single quotes"),
        pytest.param(" select . cache ", ["select", "cache"], id="blanks around dots"),
    ],
)
def test_a_key_is_split_at_the_dots_outside_quotes(key: str, parts: list[str]) -> None:
    """A named slot is one part, however many dots it has."""
    assert split_key(key) == parts


@pytest.mark.parametrize(
    ("origin", "text", "fields"),
    [
        pytest.param(CodeOrigin("shop.app:10"), "shop.app:10", {"kind": "code", "at": "shop.app:10"}, id="code"),
        pytest.param(
            OverrideOrigin("tests.shop:3"),
            "override at tests.shop:3",
            {"kind": "override", "at": "tests.shop:3"},
            id="override",
        ),
        pytest.param(
            EnvOrigin("ONEIRIC_SELECT__CACHE"),
            "ONEIRIC_SELECT__CACHE",
            {"kind": "env", "name": "ONEIRIC_SELECT__CACHE"},
            id="env",
        ),
        pytest.param(
            EnvFileOrigin(".env", 4, "ONEIRIC_APP"),
            "ONEIRIC_APP (.env:4)",
            {"kind": "envfile", "path": ".env", "line": 4, "name": "ONEIRIC_APP"},
            id="env file",
        ),
        pytest.param(
            FlagOrigin("--select cache=redis"),
            "--select cache=redis",
            {"kind": "cli", "flag": "--select cache=redis"},
            id="flag",
        ),
        pytest.param(
            FileOrigin("missing.toml", "select.cache"),
            "missing.toml",
            {"kind": "file", "path": "missing.toml", "line": None, "key": "select.cache"},
            id="file",
        ),
    ],
)
def test_an_origin_shows_itself_as_text_and_as_fields(
    origin: Origin, text: str, fields: dict[str, str | int | None]
) -> None:
    """Texts and JSON come from the same object, and hold names and places only."""
    assert str(origin) == text
    assert origin.fields() == fields


def test_a_file_origin_shows_the_line(document: Path) -> None:
    """`file:line` is what editors and terminals make clickable."""
    assert str(FileOrigin(str(document), "select.cache")) == f"{document}:5"


def test_the_caller_is_the_line_that_asked() -> None:
    """`caller(0)` is the line itself, `caller(1)` the one that called the function around it."""

    def asked() -> tuple[str, str]:
        return caller(0), caller(1)

    inner, outer = asked()

    first = asked.__code__.co_firstlineno
    assert inner == f"{__name__}:{first + 1}"
    assert outer == f"{__name__}:{first + 3}"


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        pytest.param(split_key, f"oneiric.core.origins:{split_key.__code__.co_firstlineno}", id="function"),
        pytest.param(CodeOrigin, "oneiric.core.origins", id="class"),
        pytest.param(CodeOrigin("x"), "oneiric.core.origins", id="object"),
        pytest.param(3, "builtins", id="object of a built-in type"),
    ],
)
def test_a_definition_is_named_by_its_module_and_line(thing: object, place: str) -> None:
    """Functions have a line; classes and objects have at least a module."""
    assert defined_at(thing) == place


@pytest.mark.parametrize(
    ("version", "text"),
    [
        pytest.param("7", "gcp till-key v7", id="a number"),
        pytest.param("env", "gcp till-key version env", id="a word"),
        pytest.param(None, "gcp till-key", id="not asked"),
    ],
)
def test_a_secret_is_shown_with_its_version(version: str | None, text: str) -> None:
    """Only a number gets the letter, so that nobody reads it as a part of a word."""
    assert str(SecretOrigin("gcp", "till-key", version)) == text
