"""
Log set-up and redaction: the one place that decides what is secret and how it is shown.

Nothing here imports loguru before the first log line or the first set-up.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TextIO, cast

if TYPE_CHECKING:
    from loguru import Logger, Record

HIDDEN = "******"
_SECRET_NAME = re.compile(r"pass|token|secret|key|dsn|cred", re.IGNORECASE)
# Repeats are bounded: with open ones a long word without a match would take quadratic time.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_BLANK = re.compile(r"\s")
_PORT = re.compile(r"\d{1,5}[/?#]")
_PAIR = re.compile(
    r"(?P<name>(?:password|passwd|passphrase|token|secret|api[_-]?key|access[_-]?key|credential)[\w.-]{0,80})"
    r"(?P<mark>[\"']?\s{0,9}[=:]\s{0,9})(?P<value>(?!//)(?:\"[^\"\n]{0,2000}\"|'[^'\n]{0,2000}'|[\"']?[^\s\"',;&)}\]]+))",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?P<kind>(?i:bearer)|Basic)\s+[A-Za-z0-9._~+/=*-]{8,}")  # `*`: a part may be hidden already
# pydantic quotes the first and the last 25 characters of what does not fit, so that no secret is found in it any more.
_INPUT = re.compile(r"input_value=[^\n]{0,400}?(?P<rest>, input_type=)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PROCESS_KEY = os.urandom(32)
LEAST_CHARS = 6
LEAST_LINE_CHARS = 16
_SLASHES = r"\\{1,64}"  # as many as five escapings make of one
_PLUS = r"|\+"
_LETTERS = {"\n": "n", "\r": "r", "\t": "t"}  # behind a backslash
_ENTITIES = {'"': "quot", "'": "apos", "<": "lt", ">": "gt", "&": "amp"}
_known: tuple[_Known, ...] = ()  # the longest first; replaced, never changed
_remembering = threading.Lock()
_ours: list[Logger] = []  # the logger of our own lines, once there was one


def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret, by its last dotted part."""
    return bool(_SECRET_NAME.search(name.rsplit(".", 1)[-1]))


def is_secret(value: object) -> bool:
    """Tell whether a value is secret by its type: anything that hides itself as pydantic's secret types do."""
    return hasattr(value, "get_secret_value")


def holds_secret(value: object, name: str = "") -> bool:
    """Tell whether a value under this name, or a part of it, is a secret by its type, its name or as user info."""
    if is_secret(value):
        return True
    if isinstance(value, str):
        return bool(value) and (is_secret_name(name) or ("://" in value and scrub(value) != value))
    if hasattr(value, "model_dump"):
        value = dict(cast("Iterable[tuple[str, object]]", value))
    if isinstance(value, Mapping):
        return any(holds_secret(part, str(key)) for key, part in value.items())
    return isinstance(value, (list, tuple, set, frozenset)) and any(holds_secret(part, name) for part in value)


def refuse_pickle(value: object) -> NoReturn:
    """Keep what may hold a secret out of pickles, which are written to disks and sent to others. Raises TypeError."""
    raise TypeError(f"{type(value).__name__} may hold a secret, and is not pickled")


class Guarded:
    """A settings model whose repr shows no secret, not in a plain text either, and that is not pickled with one."""

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:  # what pydantic makes the repr of
        for name, part in cast("Iterable[tuple[str, Any]]", self):
            yield name, redact(name, part) if holds_secret(part, name) and not is_secret(part) else part

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:  # what pickle makes of it
        """Refuse to be pickled with a secret. Raises TypeError."""
        if holds_secret(self):
            refuse_pickle(self)
        return super().__reduce_ex__(protocol)


def fingerprint(value: object) -> str:
    """
    Return 4 hex digits by which two secrets can be compared within this process.

    An HMAC under a random key of the process: neither the value nor its length can be had back from it.
    """
    import hmac  # it loads OpenSSL, and most processes show no secret

    raw = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    text = raw if isinstance(raw, bytes) else str(raw).encode()
    return hmac.new(_PROCESS_KEY, text, "sha256").hexdigest()[:4]


class _Known:
    """A text that was secret in this process, and how to find it in the texts of others."""

    def __init__(self, text: str, *, is_exact: bool) -> None:
        self.text = text
        self.anchor = text if is_exact else max(re.findall(r"[A-Za-z0-9]*", text), key=len)
        self._is_exact = is_exact or self.anchor == text
        self._pattern: re.Pattern[str] | None = None

    def hidden_in(self, text: str) -> str:
        """Return a text without this one; most texts are passed by the anchor alone, which every form of it holds."""
        if self.anchor not in text:
            return text
        if self._is_exact:
            return text.replace(self.text, HIDDEN)
        if self._pattern is None:  # takes time, and most secrets turn up nowhere
            self._pattern = re.compile("".join(map(_spelled, self.text)))
        return self._pattern.sub(HIDDEN, text)


def remember_secret(value: object) -> None:
    """
    Hide a value wherever it appears in a text from now on, such as the message of somebody else's exception.

    So are the texts inside a list, a map or a JSON document, a long line of several, and all of them as others write
    them: escaped for Python, JSON, HTML or a URL, more than once too, in base64 or in hex. A text of fewer than 6
    characters is passed over: it would turn up in words that are none.
    """
    global _known
    found = {form: is_exact for text in _texts_of(value) for form, is_exact in _forms(text)}
    with _remembering:
        held = {known.text for known in _known}
        new = [_Known(text, is_exact=is_exact) for text, is_exact in found.items() if text not in held]
        if new:
            _known = tuple(sorted((*_known, *new), key=lambda known: len(known.text), reverse=True))


def remember_userinfo(text: str) -> None:
    """Hide the password of every URL in a text from now on, as it stands there and decoded; without one, the user."""
    from urllib.parse import unquote  # only where there is such a URL

    for begin, end in _userinfo(text):
        user, _, password = text[begin:end].partition(":")
        remember_secret([password or user, unquote(password or user)])


def _userinfo(text: str) -> Iterator[tuple[int, int]]:
    """
    Yield where user info stands in URLs: behind `://` and up to the `@`.

    People paste passwords with "/" and "@" into URLs: it reaches up to the last "@", unless only a port follows the
    colon. No part of the text is looked at more than a few times, however many schemes it holds.
    """
    position = run_end = 0
    last = -1  # the last "@" of a run without blanks
    while scheme := _SCHEME.search(text, position):
        position = begin = scheme.end()
        if begin > run_end:
            blank = _BLANK.search(text, begin)
            run_end = blank.start() if blank else len(text)
            last = text.rfind("@", begin, run_end)
        if last <= begin:
            position = max(begin, run_end)
            continue
        slash = text.find("/", begin, run_end)
        host_end = slash if slash >= 0 else run_end
        end = text.rfind("@", begin + 1, host_end)
        colon = text.find(":", begin, host_end) if end < 0 and text[begin] != "@" else -1
        if begin <= colon < last - 1 and not _PORT.match(text, colon + 1):
            end = last
        if end >= 0:
            yield begin, end
            position = end


def _texts_of(value: object) -> Iterator[str | bytes]:
    """Yield every text of a value, of what it holds, and of the JSON document that a text may be."""
    waiting = [value]
    while waiting:
        one: Any = waiting.pop()
        if is_secret(one):
            one = one.get_secret_value()
            one = str(one) if isinstance(one, (int, float)) else one
        if isinstance(one, (str, bytes)):
            yield one
            waiting += _json_parts(one)
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting += one


def _json_parts(text: str | bytes) -> list[Any]:
    """Return what a JSON object or list holds; nothing for any other text."""
    if text.lstrip()[:1] not in ("{", "[", b"{", b"["):
        return []
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return list(document.values()) if isinstance(document, dict) else document


def _forms(value: str | bytes) -> Iterator[tuple[str, bool]]:
    """Yield the texts by which a secret is known, and whether they stand exactly so wherever they do."""
    from base64 import b64encode  # only where there is a secret

    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    text = raw.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if len(text.strip()) < LEAST_CHARS:
        return
    yield text.strip(), False
    if "\ufffd" in text:
        yield raw.decode("latin-1"), False  # as the literals of bytes are read
    lines = [line.strip() for line in text.splitlines()]
    yield from ((line, False) for line in lines if len(lines) > 1 and len(line) >= LEAST_LINE_CHARS)
    yield raw.hex(), True
    for altchars in (None, b"-_"):
        yield b64encode(raw, altchars).decode().rstrip("="), True
        for before, first in ((0, 0), (1, 2), (2, 3)):  # how many bytes precede it; the character it begins with
            inner = b64encode(bytes(before) + raw, altchars).decode()[first : (before + len(raw)) // 3 * 4]
            if len(inner) >= LEAST_CHARS:
                yield inner, True


def _spelled(char: str) -> str:
    """Return a pattern of the ways to write a character of a secret: as it is, escaped, in percent, as an entity."""
    if char.isascii() and char.isalnum():
        return char
    code, raw, pair = ord(char), char.encode("utf-8", "surrogatepass"), char.encode("utf-16-be", "surrogatepass")
    escapes = [f"u{code:04x}", f"U{code:08x}", f"x{code:02x}"]
    escapes.append(_SLASHES.join(f"u{pair[n : n + 2].hex()}" for n in range(0, len(pair), 2)))
    escapes.append(_SLASHES.join(f"x{byte:02x}" for byte in raw))
    escapes += [_LETTERS[char]] if char in _LETTERS else []
    plain = _SLASHES if char == "\\" else f"(?:{_SLASHES})?{re.escape(char)}"
    percent = "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in raw)
    entity = f"&(?:#x0*{code:x}|#0*{code}|{_ENTITIES.get(char, 'none')});"
    return f"(?i:{plain}|{_SLASHES}(?:{'|'.join(escapes)})|{percent}|{entity}{_PLUS if char == ' ' else ''})"


def without_secrets(text: str) -> str:
    """Hide every value that was remembered as secret."""
    for known in _known:
        text = known.hidden_in(text)
    return text


def scrub(text: str) -> str:
    """
    Hide credentials inside free text.

    Those are the values that were remembered, user info in URLs, `name=value` of secret names, authorization headers
    and what pydantic quotes.
    """
    text = without_secrets(text)
    if "://" in text:
        ends = [0, *(edge for span in _userinfo(text) for edge in span), len(text)]
        text = HIDDEN.join(text[begin:end] for begin, end in zip(ends[::2], ends[1::2], strict=True))
    text = _INPUT.sub(rf"input_value={HIDDEN}\g<rest>", text)
    text = _BEARER.sub(rf"\g<kind> {HIDDEN}", text)
    return _PAIR.sub(rf"\g<name>\g<mark>{HIDDEN}", text)


def redact(name: str, value: Any) -> Any:  # any field of a log line or a dump
    """Return a value that may be shown under this field name: secrets become `******`, texts are scrubbed."""
    if is_secret(value) or (is_secret_name(name) and value is not None and not isinstance(value, bool)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {scrub(str(part)): redact(str(part), inner) for part, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(name, inner) for inner in value]
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    return scrub(str(value))


def log() -> Logger:
    """
    Return the logger; importing it waits until somebody has something to say.

    Its lines are redacted whether `configure` was called or not: loguru's own sink shows the values of variables.
    """
    if not _ours:
        from loguru import logger

        _ours.append(logger.patch(_patch))
    return _ours[0]


def configure(
    *,
    level: str = "INFO",
    as_json: bool = False,
    stream: TextIO | None = None,
    context: Mapping[str, str] | None = None,
) -> None:
    """
    Send log lines to one stream, redacted.

    Args:
        level: The lowest level that is written: DEBUG, INFO, WARNING, ERROR.
        as_json: One JSON object a line instead of text for a person.
        stream: Where to write; what is standard error at the time of a line by default.
        context: Fields that every line carries, such as app and profile.

    Raises:
        ValueError: The level is unknown.
    """
    logger = log()
    logger.level(level)
    logger.remove()
    logger.configure(extra=dict(context or {}), patcher=_patch)
    shape = _json_line if as_json else _text_line

    def write(message: Any) -> None:  # loguru's own message type exists in its stub only
        target = stream if stream is not None else sys.stderr  # which a test runner replaces, and closes
        target.write(shape(message.record) + "\n")
        target.flush()

    logger.add(write, level=level, format="{message}", diagnose=False, backtrace=False, enqueue=False)


class _Redacted(dict[str, Any]):
    """The fields of a line from which secrets were taken, and the traceback that its message was given."""

    added = ""


def _patch(record: Record) -> None:
    """
    Redact a record before any sink sees it, sinks of the application's own included.

    loguru shows an exception with the values of variables: a sink of the application's gets its text in the message.
    """
    if isinstance(record["extra"], _Redacted):
        return
    record["extra"] = fields = _Redacted((name, redact(name, value)) for name, value in record["extra"].items())
    record["message"] = scrub(record["message"])
    error = record["exception"]
    record["exception"] = None
    if error is not None and (error.value is not None or error.traceback is not None):
        text = "".join(traceback.format_exception(error.type, error.value, error.traceback))
        fields["traceback"] = scrub(text).rstrip()
        fields.added = f"\n{fields['traceback']}"
        record["message"] += fields.added


def _message(record: Record) -> str:
    """Return the message of a record without the traceback, which our own lines show elsewhere."""
    added = getattr(record["extra"], "added", "")
    return record["message"].replace(added, "", 1) if added else record["message"]


def _escape(pattern: re.Pattern[str], text: str) -> str:
    """Show control characters as escapes: a logged text neither forges a line nor colours the terminal."""
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _text_line(record: Record) -> str:
    shown = {k: v for k, v in record["extra"].items() if k not in {"app", "profile", "traceback"}}
    fields = "".join(f" {name}={value}" for name, value in shown.items())
    line = f"{record['time']:HH:mm:ss.SSS} {record['level'].name:<7} {_message(record)}{fields}"
    trace = record["extra"].get("traceback")
    line = _escape(_CONTROL, line)
    return f"{line}\n{_escape(_CONTROL_BUT_LAYOUT, trace)}" if trace else line


def _json_line(record: Record) -> str:
    line = {
        **record["extra"],  # first: a field of the application's does not replace ours
        "time": record["time"].isoformat(),
        "severity": record["level"].name,
        "message": _message(record),
        "logger": record["name"],
    }
    return json.dumps(line, default=str)
