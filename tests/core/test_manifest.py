"""Manifests: what they may say, what refuses them, and what comes out of a pack."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from oneiric.core.document import digest_of
from oneiric.core.errors import InlineDigestMismatch, InvalidManifest, InvalidValue
from oneiric.core.manifest import Manifest, pack, read_manifest
from oneiric.core.origins import CodeOrigin, FileOrigin, FlagOrigin, ManifestOrigin
from oneiric.core.sources import Said, Tables, read_config

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
AT = CodeOrigin("shop.app:12")
HEAD = {"schema": 1, "name": "orders", "version": "v41"}
NAMED = 'an adapter is named, never imported: a text of a-z, 0-9, "_" and "-" that begins with a letter'

TOML = """\
[select]
cache = "redis"
"cache.sessions" = "memory"
database = { "$unset" = true }

[settings.cache.redis]
host = "10.2.0.7"
ports = [6379, 6380]
tags = { "$append" = ["c"] }
hosts."example.org" = 1
empty = {}

[settings."cache.sessions".memory]
max_items = 5
ratio = 0.5
label = "\u00e4 \u2028 b"
"""
PACKED = """\
{
  "schema": 1,
  "name": "orders",
  "version": "v41",
  "issued": "2026-06-01T12:00:00Z",
  "expires": null,
  "select": {
    "cache": "redis",
    "cache.sessions": "memory",
    "database": {"$unset": true}
  },
  "settings": {
    "cache.redis.empty": {},
    "cache.redis.host": "10.2.0.7",
    "cache.redis.hosts.\\"example.org\\"": 1,
    "cache.redis.ports": [6379, 6380],
    "cache.redis.tags": {"$append": ["c"]},
    "cache.sessions.memory.label": "ä \\u2028 b",
    "cache.sessions.memory.max_items": 5,
    "cache.sessions.memory.ratio": 0.5
  },
  "sources": {
    "select.cache": "oneiric.toml:2",
    "select.cache.sessions": "oneiric.toml:3",
    "select.database": "oneiric.toml:4",
    "settings.cache.redis.empty": "oneiric.toml:11",
    "settings.cache.redis.host": "oneiric.toml:7",
    "settings.cache.redis.hosts.\\"example.org\\"": "oneiric.toml:10",
    "settings.cache.redis.ports": "oneiric.toml:8",
    "settings.cache.redis.tags": "oneiric.toml:9",
    "settings.cache.sessions.memory.label": "oneiric.toml:16",
    "settings.cache.sessions.memory.max_items": "oneiric.toml:14",
    "settings.cache.sessions.memory.ratio": "oneiric.toml:15"
  },
  "digest": "DIGEST"
}
"""


def sealed(**fields: Any) -> str:
    """Return a document with its own digest, so that only its content can be at fault."""
    document = {**HEAD, **fields}
    return json.dumps({"digest": digest_of(document), **document})


def read(text: str | bytes, now: datetime = NOW) -> Manifest:
    """Read a manifest under a short name."""
    return read_manifest(text, path="some.json", now=now)


def refusal(text: str | bytes) -> str:
    """Return why a manifest is refused."""
    with pytest.raises(InvalidManifest) as caught:
        read(text)
    return caught.value.message


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """The tables of a configuration file."""
    path = tmp_path / "oneiric.toml"
    path.write_text(TOML, "utf-8")
    return next(iter(read_config(path, shown="oneiric.toml").tables("default")))


def values(tables: Tables) -> dict[str, Any]:
    """Return what tables say, without where."""
    said = {f"select.{slot}": item for slot, item in tables.select.items()}
    said |= {f"settings.{key}": item for key, item in tables.settings.items()}
    return {key: (item.value, item.text) for key, item in said.items()}


def test_a_packed_manifest_is_sorted_with_one_key_a_line(tables: Tables) -> None:
    """A person finds a line, and two builds of one configuration differ in nothing."""
    packed = pack(tables, name="orders", version="v41", issued=NOW)

    assert packed.text() == PACKED.replace("DIGEST", packed.digest)


def test_a_manifest_says_what_the_file_said(tables: Tables) -> None:
    """Packing and reading loses nothing: selections, leaves, directives, dotted slots."""
    packed = pack(tables, name="orders", version="v41", issued=NOW)

    found = read(packed.text()).tables("inline", "some.json")

    assert values(found) == values(tables)


def test_every_word_of_a_manifest_knows_its_line_and_its_source(tables: Tables, tmp_path: Path) -> None:
    """An origin names the manifest, the line in it, and the line it was packed from."""
    packed = pack(tables, name="orders", version="v41", issued=NOW)
    place = tmp_path / "some.json"
    place.write_text(packed.text(), "utf-8")

    found = read(packed.text()).tables("inline", "some.json", str(place))
    said = found.settings["cache.sessions.memory.max_items"].origin

    assert isinstance(said, ManifestOrigin)
    assert said.fields() == {
        "kind": "manifest",
        "name": "orders",
        "version": "v41",
        "digest": packed.digest,
        "trust": "inline",
        "line": 19,
    }
    assert str(said) == f"orders@v41 sha256:{packed.digest[:4]}.. (inline) some.json:19 from oneiric.toml:14"
    assert found.select["cache.sessions"].origin.fields()["line"] == 9


def test_a_manifest_written_by_hand_may_nest_its_settings() -> None:
    """Nested maps are leaves by dotted key, as the tables of a TOML file; a slot's dotted name is one key."""
    text = sealed(settings={"cache.sessions": {"redis": {"host": "h", "x.y": 1}}, "app.stop_timeout_s": 5, "empty": {}})

    found = read(text).tables("remote", "https://example.org/m")

    assert {key: said.value for key, said in found.settings.items()} == {
        "cache.sessions.redis.host": "h",
        'cache.sessions.redis."x.y"': 1,
        "app.stop_timeout_s": 5,
        "empty": {},
    }
    assert found.settings["empty"].origin.fields()["trust"] == "remote"


def test_what_a_manifest_leaves_out_is_empty() -> None:
    """Schema, name, version and digest are enough."""
    found = read(sealed())

    assert (found.name, found.version, found.issued, found.expires) == ("orders", "v41", None, None)
    assert (found.select, found.settings, found.sources) == ({}, {}, {})
    assert found.tables("inline", "some.json") == Tables()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"schema": 2}, "its schema is not 1, the one that is known", id="another schema"),
        pytest.param({"schema": True}, "its schema is not 1, the one that is known", id="a schema that equals 1"),
        pytest.param({"schema": 1.0}, "its schema is not 1, the one that is known", id="a schema that is a fraction"),
        pytest.param({"selects": {}}, 'it has an unknown field "selects"', id="an unknown field"),
        pytest.param({"name": ""}, "name: a line of printable text", id="no name"),
        pytest.param({"name": "a\nb"}, "name: a line of printable text", id="a name of two lines"),
        pytest.param({"version": 41}, "version: a line of printable text", id="a version that is a number"),
        pytest.param({"select": []}, "select: this is a map", id="select is a list"),
        pytest.param({"settings": None}, "settings: this is a map", id="settings are null"),
        pytest.param({"sources": "x"}, "sources: this is a map", id="sources are a text"),
        pytest.param({"select": {"cache": 7}}, f"select.cache: {NAMED}", id="an adapter that is a number"),
        pytest.param({"select": {"cache": None}}, f"select.cache: {NAMED}", id="an adapter that is null"),
        pytest.param({"select": {"cache": "shop:Cache"}}, f"select.cache: {NAMED}", id="a class path"),
        pytest.param({"select": {"cache": "shop.cache"}}, f"select.cache: {NAMED}", id="a dotted path"),
        pytest.param({"select": {"cache": "https://x/y"}}, f"select.cache: {NAMED}", id="an address"),
        pytest.param({"select": {"cache": "Redis"}}, f"select.cache: {NAMED}", id="a capital"),
        pytest.param({"select": {"cache": "redis\n"}}, f"select.cache: {NAMED}", id="a line end behind a name"),
        pytest.param({"select": {"cache": "@unset"}}, f"select.cache: {NAMED}", id="the word of a variable"),
        pytest.param({"select": {"cache": {"$unset": 1}}}, f"select.cache: {NAMED}", id="unset by a number"),
        pytest.param({"select": {"cache": {"$unset": True, "a": 1}}}, f"select.cache: {NAMED}", id="unset and more"),
        pytest.param({"select": {"cache": {"$append": "a"}}}, f"select.cache: {NAMED}", id="another directive"),
        pytest.param(
            {"settings": {"a.b": 1, "a": {"b": 2}}}, "settings.a.b stands there twice", id="a key spelled in two ways"
        ),
        pytest.param(
            {"settings": {"a.b.c": 1, "a": 2}}, "settings.a has a value, and keys below it", id="a value and a table"
        ),
        pytest.param(
            {"settings": {"a": {"$append": [1]}, "a.b": 1}},
            "settings.a has a value, and keys below it",
            id="a directive beside a key of another spelling",
        ),
        pytest.param(
            {"sources": {"select.cache": "oneiric.toml:7"}},
            "sources.select.cache: nothing is set under that key",
            id="the source of nothing",
        ),
        pytest.param(
            {"settings": {"a": 1}, "sources": {"settings.a": 7}},
            "sources.settings.a: a line of printable text",
            id="a source that is a number",
        ),
        pytest.param(
            {"settings": {"a": 1}, "sources": {"settings.a": "\x1b[2J"}},
            "sources.settings.a: a line of printable text",
            id="a source that clears the screen",
        ),
    ],
)
def test_a_manifest_that_breaks_the_schema_is_refused(fields: dict[str, Any], why: str) -> None:
    """The whole document is, with the file and the place in the message."""
    assert refusal(sealed(**fields)) == f"some.json: {why}"


@pytest.mark.parametrize("field", ["schema", "name", "version", "digest"])
def test_a_manifest_without_one_of_these_is_refused(field: str) -> None:
    """They have no default."""
    document = json.loads(sealed())
    del document[field]

    message = refusal(json.dumps(document))

    assert "its schema is not 1" in message if field == "schema" else f"its field {field} is missing" in message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-06-01", id="a date"),
        pytest.param("2026-06-01T12:00:00", id="without a zone"),
        pytest.param("2026-06-01T12:00:00+02:00", id="another zone"),
        pytest.param("2026-06-01 12:00:00Z", id="a blank"),
        pytest.param("2026-02-31T12:00:00Z", id="a day that is none"),
        pytest.param("2026-06-01T24:30:00Z", id="an hour that is none"),
        pytest.param("２026-06-01T12:00:00Z", id="a digit of another script"),
        pytest.param("2026-06-01T12:00:00Z\n", id="a line end"),
        pytest.param(1_780_000_000, id="a number"),
    ],
)
@pytest.mark.parametrize("field", ["issued", "expires"])
def test_a_time_is_rfc_3339_in_utc_or_null(field: str, text: object) -> None:
    """One spelling, so that nobody has to guess a zone."""
    assert refusal(sealed(**{field: text})) == (
        f"some.json: {field}: a time in UTC such as 2026-01-31T12:00:00Z, or null"
    )


def test_times_are_read_in_utc() -> None:
    """Fractions of a second are kept."""
    found = read(sealed(issued="2026-05-01T00:00:00.250Z", expires="2027-05-01T00:00:00Z"))

    assert found.issued == datetime(2026, 5, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert found.expires == datetime(2027, 5, 1, tzinfo=UTC)


def test_a_manifest_is_refused_from_the_moment_it_expires() -> None:
    """The error says when that was; up to then it is taken."""
    text = sealed(expires="2026-06-01T12:00:00Z")

    assert read(text, NOW - timedelta(seconds=1)).name == "orders"
    assert refusal(text) == "some.json: it expired at 2026-06-01T12:00:00Z"


def test_content_under_the_digest_of_other_content_is_refused() -> None:
    """The digest covers every field but itself."""
    other = json.loads(sealed(select={"cache": "memory"}))

    message = refusal(json.dumps({**other, "select": {"cache": "redis"}}))

    assert message == "some.json: its digest belongs to other content"


@pytest.mark.parametrize(
    "digest",
    [
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param("9C1E" * 16, id="capitals"),
        pytest.param("9c1e", id="too short"),
    ],
)
def test_a_digest_is_64_hex_digits(digest: object) -> None:
    """In lower case, so that texts compare."""
    assert refusal(json.dumps({**HEAD, "digest": digest})) == "some.json: digest: 64 hex digits"


@pytest.mark.parametrize(
    "text", ['{"a": "canary"', b'{"a": "canary\xff"}', "\ud800canary"], ids=["text", "bytes", "half"]
)
def test_no_refusal_shows_a_value(text: str | bytes) -> None:
    """A manifest may hold secrets."""
    assert "canary" not in refusal(text)


def test_a_manifest_shows_no_value_of_its_own() -> None:
    """Neither in a log nor in a traceback."""
    found = read(sealed(settings={"cache.redis.password": "canary"}))

    assert repr(found) == f"<manifest orders@v41 sha256:{found.digest[:4]}..>"


def test_a_sealed_manifest_must_have_the_digest_beside_it() -> None:
    """One that was altered and given a digest of its own is refused, whatever else is wrong with it."""
    text = sealed(selects={})
    digest = json.loads(text)["digest"]

    with pytest.raises(InlineDigestMismatch):
        read_manifest(text, path="some.json", now=NOW, sealed="9c1e" * 16)
    with pytest.raises(InlineDigestMismatch):
        read_manifest(text.replace("v41", "v42"), path="some.json", now=NOW, sealed=digest)
    with pytest.raises(InvalidManifest, match="selects"):
        read_manifest(text, path="some.json", now=NOW, sealed=digest)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param(
            Said(date(2026, 1, 31), AT), "JSON has no dates and times, and one is never turned into a text", id="a date"
        ),
        pytest.param(
            Said([{"at": datetime(2026, 1, 31, tzinfo=UTC)}], AT),
            "JSON has no dates and times, and one is never turned into a text",
            id="a time in a list",
        ),
        pytest.param(
            Said(float("inf"), AT), "JSON has no infinite number, and none that is no number", id="an infinite number"
        ),
        pytest.param(Said("5", AT, text=True), "a text whose type is not known here cannot be packed", id="a text"),
    ],
)
def test_a_value_that_cannot_be_packed_is_named_with_its_origin(said: Said, why: str) -> None:
    """Nothing is packed that would come back as something else."""
    with pytest.raises(InvalidValue) as caught:
        pack(Tables(settings={"cache.redis.since": said}), name="orders", version="v41", issued=NOW)

    assert caught.value.message == f"cache.redis.since: {why} (set by shop.app:12)"
    assert caught.value.origin == AT


@pytest.mark.parametrize(
    ("said", "packed"),
    [
        pytest.param(Said("redis", AT), "redis", id="a name"),
        pytest.param(Said("redis", FlagOrigin("--select cache=redis"), text=True), "redis", id="a name of a flag"),
        pytest.param(Said("@unset", AT, text=True), {"$unset": True}, id="the word that masks"),
        pytest.param(Said("@unset", AT), None, id="that word as a name"),
        pytest.param(Said("shop:Cache", AT), None, id="a class path"),
        pytest.param(Said(object, AT), None, id="a class"),
    ],
)
def test_only_names_of_adapters_are_packed(said: Said, packed: object) -> None:
    """Code that a manifest could import would be code that a manifest could bring."""
    tables = Tables(select={"cache": said})

    if packed is None:
        with pytest.raises(InvalidValue, match=r"select\.cache: an adapter is named, never imported"):
            pack(tables, name="orders", version="v41", issued=NOW)
    else:
        assert pack(tables, name="orders", version="v41", issued=NOW).select == {"cache": packed}


@pytest.mark.parametrize(
    ("settings", "name", "why"),
    [
        pytest.param({}, "two\nlines", "name: a line of printable text", id="a name of two lines"),
        pytest.param(
            {"a": 1, "a.b": 2}, "orders", "settings.a has a value, and keys below it", id="a value and a table"
        ),
        pytest.param({"a": "x" * 1_048_576}, "orders", "it is over 1048576 bytes", id="too much"),
        pytest.param({"\ud800": 1}, "orders", "settings: a key in it is no Unicode text", id="half a character"),
    ],
)
def test_what_could_not_be_read_back_is_not_packed(settings: dict[str, Any], name: str, why: str) -> None:
    """A build fails where the start of the deployment would."""
    tables = Tables(settings={key: Said(value, AT) for key, value in settings.items()})

    with pytest.raises(InvalidManifest) as caught:
        pack(tables, name=name, version="v41", issued=NOW)

    assert caught.value.message == f"oneiric.manifest.json: {why}"


def test_times_are_packed_in_utc_without_fractions() -> None:
    """A time without a zone is refused, since nobody knows when it is."""
    local = datetime(2026, 6, 1, 14, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))

    packed = pack(Tables(), name="orders", version="v41", issued=local, expires=local + timedelta(days=1))

    assert (packed.document["issued"], packed.document["expires"]) == ("2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z")
    with pytest.raises(InvalidValue, match="issued: a time has its zone"):
        pack(Tables(), name="orders", version="v41", issued=local.replace(tzinfo=None))


def test_a_manifest_without_a_time_is_the_same_at_every_build() -> None:
    """`issued` is null, and nothing else depends on when it is made."""
    first, second = (pack(Tables(), name="orders", version="v41", issued=None) for _ in range(2))

    assert first.document["issued"] is None
    assert first.text() == second.text()


def test_a_source_that_is_no_line_is_left_out() -> None:
    """The value is packed all the same."""
    said = Said(1, FileOrigin("two\nlines.toml", "settings.a"))

    packed = pack(Tables(settings={"a": said}), name="orders", version="v41", issued=NOW)

    assert (packed.settings, packed.sources) == ({"a": 1}, {})
