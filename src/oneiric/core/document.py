"""A JSON document that is read strictly: no key twice, nothing but what JSON holds, and no more of it than is sane."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

from oneiric.core.errors import InvalidManifest

MAX_BYTES = 1_048_576
MAX_DEPTH = 64  # maps and lists inside each other, the document counted
MAX_INT_BITS = 2_000  # some 600 digits; `sys.int_info` tells how many every interpreter reads and writes

Document = Mapping[str, Any]  # a JSON object: its values are of no one type
Place = tuple[str | int, ...]


def read_document(content: bytes, path: str) -> dict[str, Any]:  # JSON
    """
    Read a JSON object in UTF-8, at most 1 MiB.

    Args:
        content: The bytes.
        path: How errors name the file.

    Raises:
        InvalidManifest: It is none, a key stands twice in one map, or it holds what `unfit` refuses. The message names
            the file and the place, never a value.
    """
    if len(content) > MAX_BYTES:
        raise InvalidManifest(path, f"it is over {MAX_BYTES} bytes")
    twice: list[tuple[object, str]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice.append((found, next(name for name in names if names.count(name) > 1)))
        return found

    try:
        document = json.loads(content.decode(), object_pairs_hook=collect)
    except UnicodeDecodeError as error:
        raise InvalidManifest(path, f"byte {error.start + 1} is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidManifest(path, f"line {error.lineno}, column {error.colno} is no JSON: {error.msg}") from None
    except RecursionError:
        raise InvalidManifest(path, f"it is nested more than {MAX_DEPTH} deep") from None
    except ValueError:  # int() reads no more than some thousand digits
        raise InvalidManifest(path, "it holds a number of too many digits") from None
    if not isinstance(document, dict):
        raise InvalidManifest(path, "it is no JSON object")
    check_values(document, path)
    if twice:  # the last one is a part of the document; an earlier one may have been replaced
        around, name = twice[-1]
        place = next(place for place, part in parts(document) if part is around)
        raise InvalidManifest(path, f"{shown((*place, name))} stands there twice")
    return document


def check_values(document: Document, path: str) -> None:
    """
    Refuse what no document can hold.

    Raises:
        InvalidManifest: There is such a value; the message names its place.
    """
    for place, value in parts(document):
        if (why := unfit(value, len(place))) is not None:
            raise InvalidManifest(path, f"{shown(place)}: {why}" if place else why)


def parts(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:  # JSON
    """Yield a value and all that is in it, each with its place; what is nested too deeply is not looked into."""
    yield place, value
    if isinstance(value, dict | list) and len(place) < MAX_DEPTH:
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from parts(part, (*place, name))


def unfit(value: Any, depth: int) -> str | None:  # whatever a TOML file, or a program, can hold
    """Say why a document cannot hold a value at a depth, without looking into it; None if it can."""
    kind = type(value)
    if kind in {dict, list} and depth >= MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} deep"
    if kind is dict and not all(type(key) is str and _is_unicode(key) for key in value):
        return "a key in it is no Unicode text"
    if kind is str and not _is_unicode(value):
        return "it is no Unicode text"
    if kind is float and not math.isfinite(value):
        return "JSON has no infinite number, and none that is no number"
    if kind is int and value.bit_length() > MAX_INT_BITS:
        return "it is a number of too many digits"
    if isinstance(value, date | time):
        return "JSON has no dates and times, and one is never turned into a text"
    return None if value is None or kind in {dict, list, str, float, int, bool} else "JSON has no such value"


def digest_of(document: Document) -> str:
    """
    Return the sha256 of a document in 64 hex digits, its field `digest` left out.

    It is taken of the canonical JSON in UTF-8: the keys of every map sorted by code point; nothing between tokens but
    `,` and `:`; in texts only `"`, `\\` and what is below U+0020 escaped, as `\\n` or `\\u001f`; whole numbers in
    digits, others in the shortest form that reads back as the same double, as Python writes it (`0.1`, `1e+16`).

    Source: RFC 8259 section 7 for what must be escaped; the rest is the output of `json.dumps`.
    """
    from hashlib import sha256  # it loads OpenSSL, which takes longer than this whole module

    content = {name: value for name, value in document.items() if name != "digest"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(canonical.encode()).hexdigest()


def shown(place: Place) -> str:
    """Return a place as one line of at most 200 characters; what is not printable in it is escaped."""
    return ".".join(str(part) if str(part).isprintable() else json.dumps(part)[1:-1] for part in place)[:200]


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
