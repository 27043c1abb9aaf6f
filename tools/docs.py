#!/usr/bin/env python3
"""
Write the reference pages from the code: `python tools/docs.py`; with `--check`, only say which ones are out of date.

The exit status is 1 if `--check` finds one.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from enum import EnumType
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from remedies import REMEDIES
from typer.models import ArgumentInfo

from oneiric import Application, Inputs
from oneiric.cli.commands import program
from oneiric.cli.options import before_command
from oneiric.core import errors
from oneiric.core.errors import AdapterError, OneiricError, Refused
from oneiric.core.importing import load
from oneiric.core.profiles import BUILT_IN, LAYERS, Profile
from oneiric.core.reasons import REASONS
from oneiric.providers.catalog import Catalog
from oneiric.runtime.orchestrator import prepare
from oneiric.web.answers import INTERNAL, SAID, STATUSES

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
GOLDENS = ROOT / "tests" / "goldens" / "errors"
NOTE = "<!-- Written by `make docs` from the code: change the code, not this page. -->"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    names = list(heads)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def code(text: object) -> str:
    """Return a text as inline code; nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def sentences(thing: object) -> str:
    """Return the first paragraph of a docstring, as one line."""
    return " ".join((thing.__doc__ or "").strip().split("\n\n")[0].split())


def errors_page() -> Iterator[str]:
    """Every error: what it means, how it reads, what to do."""
    yield "# Errors"
    yield ""
    yield NOTE
    yield ""
    yield "Every exception of Oneiric has a stable `code`; programs match on it."
    yield "A command prints the text below and exits with 2 for what was refused before anything was opened."
    yield "A retryable error may be gone at the next try."
    yield "The texts are examples, and a test compares each with what the code prints."
    exported = (getattr(errors, name) for name in errors.__all__)
    kinds = [kind for kind in exported if isinstance(kind, type) and issubclass(kind, OneiricError)]
    for kind in sorted(kinds, key=lambda kind: kind.code):
        family = "adapter" if issubclass(kind, AdapterError) else "refused" if issubclass(kind, Refused) else "running"
        yield ""
        yield f"## {kind.code}"
        yield ""
        yield f"`oneiric.core.errors.{kind.__name__}`, {family}{', retryable' if kind.retryable else ''}."
        yield sentences(kind)
        yield ""
        yield "```text"
        yield (GOLDENS / f"{kind.code}.txt").read_text("utf-8").rstrip("\n")
        yield "```"
        yield ""
        yield f"What to do: {REMEDIES[kind.code]}"
    yield from over_http()


def over_http() -> Iterator[str]:
    """Which status an error has over HTTP, and the codes that exist only there."""
    yield ""
    yield "## Over HTTP"
    yield ""
    yield "The body of every answer that is an error is a JSON object with `code` and `message`."
    yield "These codes above have a status of their own; 429 and 503 come with `Retry-After`."
    yield ""
    yield from table(["status", "code"], ([str(status), code(kind.code)] for kind, status in STATUSES.items()))
    yield ""
    yield "These codes are no exceptions, because what they mean can only happen over HTTP."
    yield ""
    said = [(status, name, meaning) for status, (name, meaning) in SAID.items()]
    fault = (500, INTERNAL, "a fault of the server; the message holds the id under which its log knows it")
    yield from table(
        ["status", "code", "meaning"],
        ([str(status), code(name), meaning] for status, name, meaning in sorted([*said, fault])),
    )


def adapters_page() -> Iterator[str]:
    """The catalog."""
    catalog = Catalog(third_party=False)
    yield "# Adapters"
    yield ""
    yield NOTE
    yield ""
    yield "Each category declares one slot of its own name; where nobody chooses, the highest priority wins."
    yield "Settings are in [settings.md](settings.md)."
    yield "`verified` says what the tests of an adapter run against: `server` is the real thing."
    for category in catalog.categories().values():
        yield ""
        yield f"## {category.name}"
        yield ""
        yield f"Protocol `{category.protocol}`: {sentences(load(category.protocol))}"
        yield ""
        yield from table(
            ["adapter", "class", "priority", "extra", "capabilities", "verified", "what it is"],
            (
                [
                    f"`{category.name}/{row.name}`",
                    code(row.path),
                    str(row.priority),
                    code(row.extra or ""),
                    ", ".join(f"`{name}`" for name in sorted(row.capabilities)),
                    row.verified,
                    sentences(load(row.path)),
                ]
                for row in catalog.rows(category.name).values()
            ),
        )


def shown_type(annotation: Any) -> str:
    """Return a type as a person writes it."""
    choices = [part for part in get_args(annotation) or [annotation] if part is not type(None)]
    if len(choices) == 1 and get_origin(choices[0]) is Literal:  # it may be optional
        annotation = choices[0]
    if get_origin(annotation) is Literal:
        return " or ".join(code(choice) for choice in get_args(annotation))
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+([A-Za-z])", r"\1", text)


def shown_default(info: Any) -> str:
    """Return the default of a setting as a person writes it in TOML."""
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    return "" if value is None or value is PydanticUndefined else code(json.dumps(value, default=str))


def limits(info: Any) -> str:
    """Return the range of a setting, such as `> 0`."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "min_length": "length >=", "max_length": "length <="}
    found = [
        f"{sign} {bound}"
        for item in info.metadata
        for name, sign in signs.items()
        if (bound := getattr(item, name, None)) is not None
    ]
    return ", ".join(found)


def settings_rows(model: type[BaseModel], prefix: str) -> Iterator[list[str]]:
    """Yield one row for each setting; those of a nested model follow it."""
    for name, info in sorted(model.model_fields.items()):
        key = f"{prefix}.{name}"
        yield [code(key), shown_type(info.annotation), shown_default(info), limits(info), info.description or ""]
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from settings_rows(info.annotation, key)


def settings_page() -> Iterator[str]:
    """Every setting of every section and adapter."""
    heads = ["key", "type", "default", "range", "meaning"]
    yield "# Settings"
    yield ""
    yield NOTE
    yield ""
    yield (
        "A key `cache.memory.max_items` is `[settings.cache.memory] max_items` in `oneiric.toml`, "
        "`ONEIRIC_CACHE__MEMORY__MAX_ITEMS` in the environment and `--set cache.memory.max_items=...` on a command."
    )
    yield "How values are written, also `@unset`, `$append` and `secret://`: [configuration.md](configuration.md)."
    yield "A named slot has the same settings under its own name: `cache.sessions.memory.max_items`."
    yield "Units are part of the names: `_s` is seconds, `_bytes` is bytes."
    yield ""
    yield "## Sections"
    for name, model in sections().items():
        yield ""
        yield f"### {name}"
        yield ""
        yield sentences(model)
        yield ""
        yield from table(heads, settings_rows(model, name))
    yield ""
    yield "## Adapters"
    for row in Catalog(third_party=False).all_rows():
        model = load(row.path).Settings
        yield ""
        yield f"### {row.category}/{row.name}"
        yield ""
        yield sentences(model)
        yield ""
        yield from table(heads, settings_rows(model, f"{row.category}.{row.name}"))
    yield ""
    yield "## Variables that are no settings"
    yield ""
    yield from table(["variable", "meaning"], VARIABLES)


VARIABLES = (
    ("`ONEIRIC_PROFILE`", "the profile; `--profile` wins over it"),
    ("`ONEIRIC_CONFIG`", "the configuration file, in place of `oneiric.toml`; `--config` wins over it"),
    ("`ONEIRIC_ENV_FILE`", "a file of `ONEIRIC_` variables that stand below the real ones; `--env-file` wins over it"),
    ("`ONEIRIC_APP`", "the application, `module:attribute`; `--app` wins over it"),
    ("`ONEIRIC_LOG_LEVEL`", "the lowest level of log lines: `DEBUG`, `INFO`, `WARNING`, `ERROR`"),
    ("`ONEIRIC_SELECT__SLOT`", "the adapter of a slot, such as `ONEIRIC_SELECT__CACHE__SESSIONS=memory`"),
    ("`PORT`", "the port that `oneiric orchestrate` listens on; `--port` wins over it"),
)


def sections() -> dict[str, type[BaseModel]]:
    """Return the settings model of every section of the framework, by name."""
    application = Application("docs")
    prepare(application, Inputs(environ={}, folder=ROOT / "docs"))
    return {name: application.sections[name] for name in sorted(application.sections)}


def profiles_page() -> Iterator[str]:
    """The built-in profiles."""
    yield "# Profiles"
    yield ""
    yield NOTE
    yield ""
    yield sentences(load("oneiric.core.profiles:Profile"))
    yield (
        "`--profile` chooses it, else `ONEIRIC_PROFILE`, else `profile` at the top of `oneiric.toml`; "
        "without any of them it is `default`."
    )
    yield "A layer that is not in its order is silent; a layer further right in the order wins."
    yield "`oneiric profiles` shows them side by side, with those that a file defines."
    for name, profile in BUILT_IN.items():
        silent = [f"`{layer}`" for layer in LAYERS if layer not in profile.order]
        yield ""
        yield f"## {name}"
        yield ""
        yield f"Order, low to high: {' < '.join(f'`{layer}`' for layer in profile.order)}."
        yield f"Silent: {', '.join(silent)}." if silent else "No layer is silent."
    yield ""
    yield "## Toggles"
    yield ""
    yield from table(
        ["toggle", "meaning", *(code(name) for name in BUILT_IN)],
        (
            [code(toggle), meaning, *(str(shown(getattr(profile, toggle))) for profile in BUILT_IN.values())]
            for toggle, meaning in toggles()
        ),
    )
    yield ""
    yield f"Not yet in use: {' and '.join(code(toggle) for toggle in NOT_YET)}; what reads it is not built."
    yield OWN_PROFILES


NOT_YET = ("remote",)  # toggles of parts that are not there: remote manifests
OWN_PROFILES = """
## Profiles of your own

A table with `like` defines a profile.
It has the order and the toggles of the one that it names, and may set toggles of its own.

```toml
# oneiric.toml
[profiles.staging]
like = "serverless"
on_secret_outage = "fall"
json_logs = false

[profiles.staging.select]
storage = "memory"
```

```console
$ oneiric profiles --profile staging
profile                          default     serverless  systemd   test      staging*
order 1 (lowest)                 code        code        code      code      code
...
defined at                       built in    built in    built in  built in  oneiric.toml:3

* in force
```

It may be like another profile of the file, but not in a circle.
It has no `order` of its own, and a profile that is built in stays as it is.
Its tables `select`, `settings` and `deny` are its own: those of the profile it is like are not inherited."""


def shown(value: object) -> object:
    """Return a toggle's value as a person writes it."""
    return {True: "on", False: "off", None: "none"}.get(value, value) if isinstance(value, bool | None) else value


def toggles() -> Iterator[tuple[str, str]]:
    """Yield the toggles of a profile with their meaning, from the docstring of `Profile`."""
    text = textwrap.dedent((Profile.__doc__ or "").partition("Attributes:")[2])
    known = {field.name for field in fields(Profile)}
    for name, meaning in re.findall(r"^ *(\w+): (.*?)(?=\n *\w+: |\Z)", text, re.DOTALL | re.MULTILINE):
        if name in known - {"name", "order"}:
            yield name, " ".join(meaning.split()).rstrip(".")


def option_rows(command: Callable[..., Any], without: Iterable[str] = ()) -> Iterator[list[str]]:
    """Yield one row for each option or argument of a command, read from its signature as Typer does."""
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if name in without or get_origin(parameter.annotation) is not Annotated:
            continue
        kind, said = get_args(parameter.annotation)
        if isinstance(said, ArgumentInfo):
            yield [code(said.metavar or name.upper()), said.help or ""]
            continue
        # Inside Annotated, Typer keeps the first name of an option where a default would stand.
        option = said.default if isinstance(said.default, str) else f"--{name.replace('_', '-')}"
        choices = "|".join(kind) if isinstance(kind, EnumType) else ""
        takes = "" if kind is bool else f" {choices or said.metavar}"
        yield [code(option + takes), said.help or ""]


def commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every command by the words that a person types; those of a group follow it."""
    groups = [("", program), *((f"{group.name} ", group.typer_instance) for group in program.registered_groups)]
    for before, group in groups:
        for command in group.registered_commands if group is not None else ():
            assert command.callback is not None
            yield before + (command.name or command.callback.__name__), command.callback


def cli_page() -> Iterator[str]:
    """Every command."""
    shared = [name for name in inspect.signature(before_command).parameters if name != "ctx"]
    yield "# Command line"
    yield ""
    yield NOTE
    yield ""
    yield "`oneiric`, `python -m oneiric` and `python -m oneiric.cli` are one program."
    yield ""
    yield "## Options of every command"
    yield ""
    yield "They stand before or after the name of the command; those after it win."
    yield ""
    yield from table(["option", "meaning"], option_rows(before_command))
    for name, work in commands():
        own = list(option_rows(work, without=shared))
        taken = inspect.signature(work).parameters
        refused = [row[0].split()[0] for row in option_rows(before_command, without=taken)]
        yield ""
        yield f"## {name}"
        yield ""
        yield sentences(work)
        if refused:
            yield f"Behind its name it does not take {', '.join(code(option.strip('`')) for option in refused)}."
        if own:
            yield ""
            yield from table(["option", "meaning"], own)
    yield ""
    yield "## Exit codes"
    yield ""
    yield from table(["code", "meaning"], EXIT_CODES)
    yield ""
    yield "An error is a block on standard error, or with `--json` an object on standard output."


EXIT_CODES = (
    ("0", "done"),
    ("1", "failed, or would fail: `check` found faults"),
    (
        "2",
        "refused before anything was opened: a bad option, slot, key, profile, application or port; "
        "for `orchestrate` also every fault that `check` finds",
    ),
    ("70", "stopped hard: stopping took too long"),
    (
        "130, 143",
        "ended by SIGINT or SIGTERM; `orchestrate` ends with 0, and so only by a second signal while it stops",
    ),
)


def reasons_page() -> Iterator[str]:
    """Every reason code of an explanation."""
    yield "# Reasons"
    yield ""
    yield NOTE
    yield ""
    yield "An explanation gives every layer and adapter that did not win one of these codes."
    yield "A code never changes its sense; `oneiric explain NAME --why-not LAYER` prints the code and its sentence."
    yield "How a start or a question fails is told by the codes of [errors.md](errors.md)."
    for reason, meaning in sorted(REASONS.items()):
        yield ""
        yield f"## {reason}"
        yield ""
        yield meaning


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "adapters.md": adapters_page,
    "cli.md": cli_page,
    "errors.md": errors_page,
    "profiles.md": profiles_page,
    "reasons.md": reasons_page,
    "settings.md": settings_page,
}


def main() -> int:
    """Write every page that changed, or with `--check` only name it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    is_check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, "\n".join(page()) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            stale.append(name)
            if not is_check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
    for name in stale:
        print(f"docs: {'out of date' if is_check else 'written'}: docs/reference/{name}")
    return int(is_check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
