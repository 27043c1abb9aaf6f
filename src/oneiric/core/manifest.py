"""The manifest: a document that selects adapters and sets values, checked part by part and held to its own digest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from oneiric.core.document import Document, check_values, digest_of, parts, read_document, shown, unfit
from oneiric.core.errors import InlineDigestMismatch, InvalidManifest, InvalidValue
from oneiric.core.origins import ManifestOrigin
from oneiric.core.sources import UNSET, UNSET_KEY, Said, Tables, dotted, leaves, selected

SCHEMA = 1
MANIFEST_FILE = "oneiric.manifest.json"
MAX_LINE_CHARS = 4_200  # of a name, a version or a source; a path on Linux has up to 4,096
FIELDS = ("schema", "name", "version", "issued", "expires", "select", "settings", "sources", "digest")
REQUIRED = ("schema", "name", "version", "digest")
NAMED = 'an adapter is named, never imported: a text of a-z, 0-9, "_" and "-" that begins with a letter'
_ADAPTER = r"[a-z][a-z0-9_-]*"
_DIGEST = r"[0-9a-f]{64}"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
_BREAKS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}  # JSON allows them, and they end a line


class Manifest(NamedTuple):
    """
    A checked manifest.

    Attributes:
        document: The whole document, as it was read.
        settings: Its values by dotted key; a nested map of the document stands here as its leaves.
    """

    document: Document
    settings: Document

    @property
    def name(self) -> str:
        """What it calls itself."""
        return str(self.document["name"])

    @property
    def version(self) -> str:
        """Its version: a text, without an order."""
        return str(self.document["version"])

    @property
    def digest(self) -> str:
        """The sha256 of its content in 64 hex digits, see `digest_of`."""
        return str(self.document["digest"])

    @property
    def issued(self) -> datetime | None:
        """When it was made, in UTC; None if it does not say."""
        return _moment(self.document.get("issued"))

    @property
    def expires(self) -> datetime | None:
        """From when on it is refused, in UTC; None for never."""
        return _moment(self.document.get("expires"))

    @property
    def select(self) -> Document:
        """By slot, the name of an adapter or `{"$unset": true}`."""
        found: Document = self.document.get("select", {})
        return found

    @property
    def sources(self) -> Mapping[str, str]:
        """Where a key stood before it was packed: `oneiric.toml:7` under `select.cache`."""
        found: Mapping[str, str] = self.document.get("sources", {})
        return found

    def __repr__(self) -> str:
        return f"<manifest {self.name}@{self.version} sha256:{self.digest[:4]}..>"  # a value may be a secret

    def tables(self, trust: Literal["inline", "remote"], path: str, place: str = "") -> Tables:
        """
        Return what it says, every word with an origin that leads to its line.

        Args:
            trust: Whether it belongs to the build, or was fetched.
            path: How origins name the file or address.
            place: Where the file is read, if not at `path` as written.
        """
        name, version, digest, sources = self.name, self.version, self.digest, self.sources

        def origin(key: str) -> ManifestOrigin:
            source = sources.get(key, "")
            return ManifestOrigin(name, version, digest, trust, path=path, key=key, source=source, place=place)

        return Tables(
            {slot: selected(slot, choice, origin(f"select.{slot}")) for slot, choice in self.select.items()},
            {key: Said(value, origin(f"settings.{key}")) for key, value in self.settings.items()},
        )

    def text(self) -> str:
        """Return the JSON file: sorted, with one key a line in each table, so that the line of a key can be found."""
        return _text(self.document)


def read_manifest(text: str | bytes, *, path: str, now: datetime, sealed: str | None = None) -> Manifest:
    """
    Read a manifest; whatever is wrong with it refuses all of it.

    Args:
        text: The JSON document, at most 1 MiB of UTF-8.
        path: How errors name it.
        now: The time, with its zone.
        sealed: The digest that it must have besides, from the file that the build wrote beside it.

    Raises:
        InvalidManifest: It is no such document, its digest belongs to other content, or it has expired. The message
            names the file and the place, never a value.
        InlineDigestMismatch: Its digest, that of its content and `sealed` are not one and the same.
    """
    try:
        content = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise InvalidManifest(path, "it is no Unicode text") from None
    manifest = _read(content, path, sealed)
    if (expires := manifest.expires) is not None and now >= expires:
        raise InvalidManifest(path, f"it expired at {manifest.document['expires']}")
    return manifest


def pack(
    tables: Tables, *, name: str, version: str, issued: datetime | None, expires: datetime | None = None
) -> Manifest:
    """
    Make a manifest of tables; each word keeps the place it comes from as its source.

    What a profile denies is not packed: a manifest has no such table. The file that says so has to be deployed too.

    Args:
        tables: What to pack.
        name: What the manifest calls itself: a line of printable text.
        version: Its version, such a line too.
        issued: When it is made, with its zone; None makes the same content the same file.
        expires: From when on it is refused, with its zone; None for never.

    Raises:
        InvalidValue: A value that JSON cannot hold (a date, an infinite number), a text whose type nobody knows here
            (of a variable or a flag), or an adapter that is not named; the error names key and origin.
        InvalidManifest: The manifest could not be read back: it is over 1 MiB, a name is no line of text, or a key
            has a value and keys below it as well.
    """
    said = {f"select.{slot}": item for slot, item in tables.select.items()}
    said |= {f"settings.{key}": item for key, item in tables.settings.items()}
    sources = {key: str(item.origin) for key, item in said.items()}
    document: dict[str, Any] = {  # JSON
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "issued": _stamp("issued", issued),
        "expires": _stamp("expires", expires),
        "select": {slot: _packed_choice(slot, item) for slot, item in tables.select.items()},
        "settings": {key: _packed_value(key, item) for key, item in tables.settings.items()},
        "sources": {key: source for key, source in sources.items() if _is_line(source)},
    }
    check_values(document, MANIFEST_FILE)
    document["digest"] = digest_of(document)
    return _read(_text(document).encode(), MANIFEST_FILE, None)  # what cannot be read back is not packed


def _packed_choice(slot: str, said: Said) -> Any:  # JSON
    if said.text and said.value == UNSET:
        return {UNSET_KEY: True}
    if not _is_choice(said.value):
        raise InvalidValue(f"select.{slot}", NAMED, origin=said.origin)
    return said.value


def _packed_value(key: str, said: Said) -> Any:  # JSON
    if said.text:
        why = "a text whose type is not known here cannot be packed"
        raise InvalidValue(key, why, origin=said.origin, fixes=(f"set {key} in oneiric.toml",))
    for place, value in parts(said.value, ("settings", key)):
        if (fault := unfit(value, len(place))) is not None:
            raise InvalidValue(key, fault, origin=said.origin)
    return said.value


def _stamp(name: str, moment: datetime | None) -> str | None:
    """Return a time in UTC as RFC 3339 writes it, without fractions of a second."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidValue(name, "a time has its zone")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(document: Document) -> str:
    fields = (f"  {_json(name)}: {_block(document[name])}" for name in FIELDS if name in document)
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _block(value: Any) -> str:  # JSON
    if not value or not isinstance(value, dict):
        return _json(value)
    return "{\n" + ",\n".join(f"    {_json(key)}: {_json(value[key])}" for key in sorted(value)) + "\n  }"


def _json(value: Any) -> str:  # JSON
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).translate(_BREAKS)


def _read(content: bytes, path: str, sealed: str | None) -> Manifest:
    document = read_document(content, path)
    digest = digest_of(document)
    if sealed is not None and not sealed == digest == document.get("digest"):
        raise InlineDigestMismatch(path, why="its digest is not the one that was written beside it")
    _check_fields(document, path)
    settings = _flat(document.get("settings", {}), path)
    _check_entries(document, settings, path)
    if digest != document["digest"]:
        raise InvalidManifest(path, "its digest belongs to other content")
    return Manifest(document, settings)


def _check_fields(document: Document, path: str) -> None:
    if type(document.get("schema")) is not int or document["schema"] != SCHEMA:
        raise InvalidManifest(path, f"its schema is not {SCHEMA}, the one that is known")
    for name in document:
        if name not in FIELDS:
            raise InvalidManifest(path, f'it has an unknown field "{shown((name,))}"')
    for name in REQUIRED:
        if name not in document:
            raise InvalidManifest(path, f"its field {name} is missing")
    for name in ("name", "version"):
        if not _is_line(document[name]):
            raise InvalidManifest(path, f"{name}: a line of printable text")
    for name in ("issued", "expires"):
        if document.get(name) is not None and _moment(document[name]) is None:
            raise InvalidManifest(path, f"{name}: a time in UTC such as 2026-01-31T12:00:00Z, or null")
    for name in ("select", "settings", "sources"):
        if not isinstance(document.get(name, {}), dict):
            raise InvalidManifest(path, f"{name}: this is a map")
    if not isinstance(document["digest"], str) or not re.fullmatch(_DIGEST, document["digest"]):
        raise InvalidManifest(path, "digest: 64 hex digits")


def _flat(nested: Document, path: str) -> dict[str, Any]:  # JSON
    """Return settings by dotted key, as the tables of a TOML file are read."""
    settings: dict[str, Any] = {}  # JSON
    for place, value in leaves(nested):
        if (key := dotted(place)) in settings:
            raise InvalidManifest(path, f"{shown(('settings', key))} stands there twice")
        settings[key] = value
    for key in settings:
        head = key
        while head := head.rpartition(".")[0]:
            if head in settings:
                raise InvalidManifest(path, f"{shown(('settings', head))} has a value, and keys below it")
    return settings


def _check_entries(document: Document, settings: Document, path: str) -> None:
    choices = document.get("select", {})
    for slot, name in choices.items():
        if not _is_choice(name):
            raise InvalidManifest(path, f"{shown(('select', slot))}: {NAMED}")
    known = {f"select.{slot}" for slot in choices} | {f"settings.{key}" for key in settings}
    for key, source in document.get("sources", {}).items():
        if key not in known:
            raise InvalidManifest(path, f"{shown(('sources', key))}: nothing is set under that key")
        if not _is_line(source):
            raise InvalidManifest(path, f"{shown(('sources', key))}: a line of printable text")


def _is_line(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_LINE_CHARS and text.isprintable()


def _is_choice(name: object) -> bool:
    if isinstance(name, str):
        return re.fullmatch(_ADAPTER, name) is not None
    return isinstance(name, dict) and name == {UNSET_KEY: True} and name[UNSET_KEY] is True


def _moment(text: object) -> datetime | None:
    """Return a time that is written as RFC 3339 section 5.6 has it, in UTC; None for anything else."""
    if not isinstance(text, str) or not re.fullmatch(_MOMENT, text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # the 31st of February
        return None
