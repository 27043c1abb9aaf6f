"""Manifests over large spaces: packing and reading is the identity, and no altered byte goes unnoticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.errors import InvalidManifest
from oneiric.core.manifest import Manifest, pack, read_manifest
from oneiric.core.origins import CodeOrigin, find_json_line
from oneiric.core.sources import Said, Tables

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
AT = CodeOrigin("shop.app:12")
UNSET = Said("@unset", AT, text=True)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
INNER: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
DIRECTIVES = st.fixed_dictionaries({"$append": st.lists(SCALARS, max_size=3)}) | st.just({"$unset": True})
LEAVES: st.SearchStrategy[Any] = SCALARS | st.lists(INNER, max_size=3) | st.just({}) | DIRECTIVES
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
SLOTS = st.sampled_from(["cache", "cache.sessions", "database", "a.b.c", "settings", "digest"])
KEYS = st.lists(
    st.sampled_from(["a", "b", '"x.y"', "ä", " ", "\u2028", "\x85", "\n", '"']), min_size=1, max_size=3
).map(".".join)
SELECT = st.dictionaries(SLOTS, NAMES.map(lambda name: Said(name, AT)) | st.just(UNSET), max_size=4)
SETTINGS = st.dictionaries(KEYS, LEAVES.map(lambda value: Said(value, AT)), max_size=5).filter(
    lambda settings: not any(key.startswith(f"{head}.") for key in settings for head in settings)
)


def read(text: str | bytes) -> Manifest:
    """Read a manifest under a short name."""
    return read_manifest(text, path="some.json", now=NOW)


def exact(value: Any) -> str:
    """Return a value as a text that tells 1, 1.0 and True apart; the order of keys does not count."""
    return json.dumps(value, sort_keys=True)


def values(tables: Tables) -> dict[str, Any]:
    """Return what tables say, without where."""
    said = {f"select.{slot}": item for slot, item in tables.select.items()}
    said |= {f"settings.{key}": item for key, item in tables.settings.items()}
    return {key: (exact(item.value), item.text) for key, item in said.items()}


@given(SELECT, SETTINGS)
def test_packing_and_reading_is_the_identity(select: dict[str, Said], settings: dict[str, Said]) -> None:
    """Every value comes back with its type, and every word with its source."""
    tables = Tables(select, settings)

    packed = pack(tables, name="orders", version="v41", issued=NOW)
    found = read(packed.text())

    assert found == packed
    assert values(found.tables("inline", "some.json")) == values(tables)
    assert set(found.sources.values()) <= {"shop.app:12"}
    assert len(found.sources) == len(select) + len(settings)


@given(SELECT, SETTINGS)
def test_the_line_of_every_key_is_found(select: dict[str, Said], settings: dict[str, Said]) -> None:
    """One key a line, sorted, whatever its value holds; a key with a line end that JSON leaves alone is not found."""
    text = pack(Tables(select, settings), name="orders", version="v41", issued=NOW).text()
    lines = text.splitlines()

    for table, said in (("select", select), ("settings", settings)):
        for position, key in enumerate(sorted(said)):
            if not set(key) & {"\u2028", "\x85"}:
                assert find_json_line(text, table, key) == lines.index(f'  "{table}": {{') + 2 + position
    assert len(lines) == text.count("\n")


@given(SELECT, SETTINGS, st.data())
def test_an_altered_byte_is_refused_or_changes_nothing(
    select: dict[str, Said], settings: dict[str, Said], data: st.DataObject
) -> None:
    """Only blanks between tokens can be exchanged, and ways to spell the same text or number."""
    packed = pack(Tables(select, settings), name="orders", version="v41", issued=None)
    content = bytearray(packed.text().encode())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[position]))

    try:
        found = read(bytes(content))
    except InvalidManifest:
        return

    assert exact(found.document) == exact(packed.document)


@given(SELECT, SETTINGS, st.data())
def test_a_manifest_that_is_cut_off_is_refused(
    select: dict[str, Said], settings: dict[str, Said], data: st.DataObject
) -> None:
    """Whatever is left of it; the last line end alone may be missing."""
    content = pack(Tables(select, settings), name="orders", version="v41", issued=None).text().encode()
    end = data.draw(st.integers(0, len(content) - 2))

    try:
        read(content[:end])
    except InvalidManifest:
        return

    raise AssertionError("a part of a manifest was taken for one")
