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
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from loguru import Logger, Record

HIDDEN = "******"
_SECRET_NAME = re.compile(r"pass|token|secret|key|dsn|cred", re.IGNORECASE)
# Repeats are bounded: with open ones a long word without a match would take quadratic time.
# People paste passwords with "/" and "@" into URLs: hide up to the last "@", unless only a port follows the colon.
_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?:[^/\s]{1,2000}|[^/\s:@]{0,200}:(?!\d{1,5}[/?#])\S{1,2000})@"
)
_PAIR = re.compile(
    r"(?P<name>(?:password|passwd|passphrase|token|secret|api[_-]?key|access[_-]?key|credential)[\w.-]{0,80})"
    r"(?P<mark>[\"']?\s{0,9}[=:]\s{0,9})(?P<value>(?!//)(?:\"[^\"\n]{0,2000}\"|'[^'\n]{0,2000}'|[\"']?[^\s\"',;&)}\]]+))",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?P<kind>(?i:bearer)|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PROCESS_KEY = os.urandom(32)


def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret, by its last dotted part."""
    return bool(_SECRET_NAME.search(name.rsplit(".", 1)[-1]))


def is_secret(value: object) -> bool:
    """Tell whether a value is secret by its type: anything that hides itself as pydantic's secret types do."""
    return hasattr(value, "get_secret_value")


def fingerprint(value: object) -> str:
    """
    Return 4 hex digits by which two secrets can be compared within this process.

    An HMAC under a random key of the process: neither the value nor its length can be had back from it.
    """
    import hmac  # it loads OpenSSL, and most processes show no secret

    raw = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    text = raw if isinstance(raw, bytes) else str(raw).encode()
    return hmac.new(_PROCESS_KEY, text, "sha256").hexdigest()[:4]


def scrub(text: str) -> str:
    """Hide credentials inside free text: user info in URLs, `name=value` of secret names, authorization headers."""
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _BEARER.sub(rf"\g<kind> {HIDDEN}", text)
    return _PAIR.sub(rf"\g<name>\g<mark>{HIDDEN}", text)


def redact(name: str, value: Any) -> Any:  # any field of a log line or a dump
    """Return a value that may be shown under this field name: secrets become `******`, texts are scrubbed."""
    if is_secret(value) or (is_secret_name(name) and value is not None and not isinstance(value, bool)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(part): redact(str(part), inner) for part, inner in value.items()}
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
    """Return the logger; importing it waits until somebody has something to say."""
    from loguru import logger

    return logger


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
        stream: Where to write; standard error by default.
        context: Fields that every line carries, such as app and profile.

    Raises:
        ValueError: The level is unknown.
    """
    target = stream if stream is not None else sys.stderr
    logger = log()
    logger.level(level)
    logger.remove()
    logger.configure(extra=dict(context or {}), patcher=_patch)
    shape = _json_line if as_json else _text_line

    def write(message: Any) -> None:  # loguru's own message type exists in its stub only
        target.write(shape(message.record) + "\n")
        target.flush()

    logger.add(write, level=level, format="{message}", diagnose=False, backtrace=False, enqueue=False)


def _patch(record: Record) -> None:
    """Redact a record before any sink sees it, sinks of the application's own included."""
    record["message"] = scrub(record["message"])
    record["extra"] = {name: redact(name, value) for name, value in record["extra"].items()}
    error = record["exception"]
    if error is not None and error.value is not None:
        text = "".join(traceback.format_exception(error.type, error.value, error.traceback))
        record["extra"]["traceback"] = scrub(text).rstrip()
        record["exception"] = None


def _escape(pattern: re.Pattern[str], text: str) -> str:
    """Show control characters as escapes: a logged text neither forges a line nor colours the terminal."""
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _text_line(record: Record) -> str:
    shown = {k: v for k, v in record["extra"].items() if k not in {"app", "profile", "traceback"}}
    fields = "".join(f" {name}={value}" for name, value in shown.items())
    line = f"{record['time']:HH:mm:ss.SSS} {record['level'].name:<7} {record['message']}{fields}"
    trace = record["extra"].get("traceback")
    line = _escape(_CONTROL, line)
    return f"{line}\n{_escape(_CONTROL_BUT_LAYOUT, trace)}" if trace else line


def _json_line(record: Record) -> str:
    line = {
        **record["extra"],  # first: a field of the application's does not replace ours
        "time": record["time"].isoformat(),
        "severity": record["level"].name,
        "message": record["message"],
        "logger": record["name"],
    }
    return json.dumps(line, default=str)
