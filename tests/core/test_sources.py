"""Files, variables and flags, read into tables with origins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.config import evaluate
from oneiric.core.errors import ConfigNotFound, DuplicateEnv, InvalidValue
from oneiric.core.origins import EnvFileOrigin, EnvOrigin, FlagOrigin
from oneiric.core.sources import Said, read_config, read_env, read_env_file, read_flags
from oneiric.core.values import Field
from oneiric.core.words import Speaker, Words

FILE = """\
profile = "serverless"

[select]
cache = "memory"
"cache.sessions" = "memory"

[settings.cache.memory]
max_items = 5

[settings.orders.mail]
to = ["a", "b"]

[profiles.serverless.select]
cache = "redis"

[profiles.serverless.settings.orders]
mail = "off"

[profiles.serverless.deny]
storage = ["local"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file with base tables and those of one profile."""
    path = tmp_path / "oneiric.toml"
    path.write_text(FILE)
    return path


def test_base_tables_keep_the_line_they_come_from(config: Path) -> None:
    """Every selection and every leaf of the settings knows its own line."""
    (tables,) = read_config(config, shown="oneiric.toml").tables("default")

    assert {slot: (said.value, str(said.origin)) for slot, said in tables.select.items()} == {
        "cache": ("memory", "oneiric.toml:4"),
        "cache.sessions": ("memory", "oneiric.toml:5"),
    }
    assert tables.settings["cache.memory.max_items"].value == 5
    assert tables.settings["orders.mail.to"].value == ["a", "b"]
    assert tables.deny == {}


def test_lines_are_found_when_they_are_asked_for(config: Path) -> None:
    """An origin with a path that can be read names the line."""
    file = read_config(config)

    base, own = file.tables("serverless")

    assert base.select["cache.sessions"].origin.fields() == {
        "kind": "file",
        "path": str(config),
        "line": 5,
        "key": 'select."cache.sessions"',
    }
    assert own.select["cache"].origin.fields()["line"] == 14
    assert own.deny["storage"]["local"].fields()["line"] == 20
    assert file.profile is not None
    assert (file.profile.value, file.profile.origin.fields()["line"]) == ("serverless", 1)


def test_a_profile_stands_above_the_base_tables(config: Path) -> None:
    """They come second, as they are written, so that each is a layer of its own and nothing of the base is lost."""
    base, own = read_config(config).tables("serverless")

    assert {slot: said.value for slot, said in base.select.items()} == {"cache": "memory", "cache.sessions": "memory"}
    assert {slot: said.value for slot, said in own.select.items()} == {"cache": "redis"}
    assert {key: said.value for key, said in base.settings.items()} == {
        "cache.memory.max_items": 5,
        "orders.mail.to": ["a", "b"],
    }
    assert {key: said.value for key, said in own.settings.items()} == {"orders.mail": "off"}
    assert str(own.settings["orders.mail"].origin).endswith("oneiric.toml:17")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("select = 3", "select", id="select is no table"),
        pytest.param("[select]\ncache = 3", "select.cache", id="an adapter that is a number"),
        pytest.param("[deny]\ncache = 'memory'", "deny.cache", id="deny is no list"),
        pytest.param("[deny]\ncache = [1]", "deny.cache", id="deny holds a number"),
        pytest.param("settings = []", "settings", id="settings is a list"),
    ],
)
def test_a_table_of_the_wrong_shape_is_named(tmp_path: Path, text: str, key: str) -> None:
    """The error names the key and where it stands."""
    path = tmp_path / "oneiric.toml"
    path.write_text(text)

    with pytest.raises(InvalidValue) as caught:
        list(read_config(path).tables("default"))

    assert caught.value.key == key
    assert caught.value.origin is not None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "there is no such file", id="missing"),
        pytest.param(b"a = ", "it is no TOML", id="broken"),
        pytest.param(b"\xff\xfe", "it is no text in UTF-8", id="not text"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None, why: str) -> None:
    """A missing, broken or binary file is `config-not-found` with the reason."""
    path = tmp_path / "oneiric.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigNotFound, match=why):
        read_config(path)


def test_a_folder_where_a_file_should_be_is_told_in_words(tmp_path: Path) -> None:
    """No name of a Python class, in files and in env files alike."""
    with pytest.raises(ConfigNotFound, match=": is a directory"):
        read_config(tmp_path)
    with pytest.raises(ConfigNotFound, match=": is a directory"):
        read_env_file(tmp_path)


def test_variables_select_and_set() -> None:
    """Double underscores part the words, case is ignored, reserved names are no settings."""
    tables = read_env(
        {
            "ONEIRIC_SELECT__CACHE": "redis",
            "ONEIRIC_SELECT__CACHE__SESSIONS": "memory",
            "Oneiric_Cache__Redis__Host": "h",
            "ONEIRIC_PROFILE": "test",
            "ONEIRIC_APP": "x:y",
            "ONEIRIC_TEST_REDIS_URL": "redis://",
            "ONEIRIC_LOG_LEVEL": "DEBUG",
            "HOME": "/home/user",
        }
    )

    assert {slot: said.value for slot, said in tables.select.items()} == {"cache": "redis", "cache.sessions": "memory"}
    assert {key: (said.value, said.origin) for key, said in tables.settings.items()} == {
        "cache.redis.host": ("h", EnvOrigin("Oneiric_Cache__Redis__Host"))
    }


def test_two_variables_that_differ_in_case_are_refused() -> None:
    """Which of the two would count is nobody's guess."""
    with pytest.raises(DuplicateEnv) as caught:
        read_env({"ONEIRIC_WEB__PORT": "1", "oneiric_web__port": "2"})

    assert caught.value.names == ("ONEIRIC_WEB__PORT", "oneiric_web__port")


def test_an_env_file_stands_below_the_environment(tmp_path: Path) -> None:
    """Real variables hide those of the file; comments, quotes and `export` are understood."""
    path = tmp_path / ".env"
    path.write_text("# comment\n\nexport ONEIRIC_WEB__PORT='1'\nONEIRIC_WEB__HOST=\"h\"\nOTHER=1\n")

    tables = read_env({"ONEIRIC_WEB__PORT": "2"}, read_env_file(path))

    assert tables.settings["web.port"].value == "2"
    assert tables.settings["web.host"].value == "h"
    assert tables.settings["web.host"].origin == EnvFileOrigin(str(path), 4, "ONEIRIC_WEB__HOST")


def test_a_bad_line_of_an_env_file_is_named_and_not_shown(tmp_path: Path) -> None:
    """The message has the line's number and nothing of what stands on it."""
    path = tmp_path / ".env"
    path.write_text("A=1\ncanary-4711\n")

    with pytest.raises(InvalidValue) as caught:
        read_env_file(path)

    assert ":2" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_flags_say_what_was_given_and_hide_values() -> None:
    """A value given by `--set` may be a secret, so its origin holds the key only."""
    tables = read_flags(["cache=redis"], ["cache.redis.password=hunter2", "web.port=1"])

    assert tables.select["cache"].origin == FlagOrigin("--select cache=redis")
    assert tables.settings["cache.redis.password"].origin == FlagOrigin("--set cache.redis.password")
    assert tables.settings["web.port"].value == "1"


@pytest.mark.parametrize("text", ["cache", "=redis", ""])
def test_a_flag_without_a_name_or_sign_is_refused(text: str) -> None:
    """`--select` takes SLOT=ADAPTER, and `--set` KEY=VALUE."""
    with pytest.raises(InvalidValue, match="SLOT=ADAPTER"):
        read_flags([text])
    with pytest.raises(InvalidValue, match="KEY=VALUE"):
        read_flags([], [text])


@given(
    st.dictionaries(
        st.lists(st.sampled_from(["A", "b", "SELECT", "", "x_y", "É"]), min_size=1, max_size=4).map(
            lambda parts: "ONEIRIC_" + "__".join(parts)
        ),
        st.text(max_size=5),
        max_size=6,
    )
)
def test_any_environment_is_tables_or_a_listed_error(environ: dict[str, str]) -> None:
    """Reading variables ends in tables or in `duplicate-env`, whatever the names are."""
    try:
        tables = read_env(environ)
    except DuplicateEnv:
        return

    assert len(tables.select) + len(tables.settings) <= len(environ)


@pytest.mark.parametrize(
    ("base", "own", "value"),
    [
        pytest.param("f = 5", "f.b = 2", {"b": 2}, id="a table hides a value"),
        pytest.param("f.b = 2", "f = 5", 5, id="a value hides a table"),
        pytest.param("f = {}", "f.b = 2", {"b": 2}, id="an empty table hides nothing above it"),
        pytest.param("f.a = 1", "f = {}", {"a": 1}, id="an empty table hides nothing below it"),
        pytest.param("f = 1", "f = {}", {}, id="an empty table hides a value"),
        pytest.param("f.a = 1", "f.b = 2", {"a": 1, "b": 2}, id="two tables merge"),
        pytest.param("f = [1]", "f = {'$append' = [2]}", [1, 2], id="a directive sees the base"),
    ],
)
def test_the_tables_of_a_profile_merge_with_the_base_by_leaf(
    tmp_path: Path, base: str, own: str, value: object
) -> None:
    """As two layers do, which they are to the evaluator."""
    path = tmp_path / "oneiric.toml"
    path.write_text(f"[settings.x]\n{base}\n[profiles.test.settings.x]\n{own}\n")

    words = Words(Speaker("profile", tables.settings) for tables in read_config(path).tables("test"))

    assert evaluate(Field("x.f", Any), words).value == value


def test_a_key_with_dots_below_a_slot_is_one_part(tmp_path: Path) -> None:
    """Only the name of a slot, which comes first, is a dotted one."""
    path = tmp_path / "oneiric.toml"
    path.write_text('[settings."cache.sessions".memory]\nhosts."example.org" = 1\n')

    (tables,) = read_config(path).tables("default")

    assert list(tables.settings) == ['cache.sessions.memory.hosts."example.org"']


def test_a_real_variable_hides_one_of_an_env_file_that_is_spelled_otherwise(tmp_path: Path) -> None:
    """Only two of one source are duplicates."""
    path = tmp_path / "some.env"
    path.write_text("oneiric_select__cache=redis")

    tables = read_env({"ONEIRIC_SELECT__CACHE": "memory"}, read_env_file(path))

    assert tables.select["cache"].value == "memory"


@pytest.mark.parametrize("line", ['cache = { "$unset" = true }', '"cache" = {"$unset" = true}'])
def test_a_file_may_take_a_choice_back(tmp_path: Path, line: str) -> None:
    """`$unset` means the same as `@unset` of a variable."""
    path = tmp_path / "oneiric.toml"
    path.write_text(f"[select]\n{line}\n")

    (tables,) = read_config(path).tables("default")

    assert (tables.select["cache"].value, tables.select["cache"].text) == ("@unset", True)


def test_a_word_shows_its_place_and_not_its_value() -> None:
    """It may be a secret, and a debugger prints what it holds."""
    assert "hunter2" not in repr(Said("hunter2", EnvOrigin("ONEIRIC_K"), text=True))
    assert "ONEIRIC_K" in repr(Said("hunter2", EnvOrigin("ONEIRIC_K"), text=True))


@pytest.mark.parametrize(
    ("value", "is_text", "is_empty"),
    [
        pytest.param("", True, True, id="a variable that is set to nothing"),
        pytest.param("", False, False, id="an empty text of a file is a value"),
        pytest.param("@empty", True, False, id="the empty text of a variable"),
    ],
)
def test_only_an_empty_variable_says_nothing(value: str, is_text: bool, is_empty: bool) -> None:
    """A file can say an empty text as it is."""
    assert Said(value, EnvOrigin("K"), text=is_text).is_empty is is_empty
