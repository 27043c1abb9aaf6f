"""Cases of precedence as data: read, checked against their schema, and turned into an application."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Protocol

import yaml
from pydantic import Field, SecretStr, create_model

from oneiric import Application
from oneiric.adapters.secrets.common import Secrets
from oneiric.containers.layers import LayerContainer
from oneiric.core.adapter import AdapterSettings
from oneiric.core.markers import Protected
from oneiric.core.sources import read_env
from oneiric.providers.catalog import ROWS, Catalog, Category, Row
from oneiric.runtime.configuration import Inputs
from oneiric.testing.fake_secrets import FakeSecrets

SCHEMA = 1
MADE = "conformance_adapters"
TYPES: Mapping[str, Any] = {"str": str, "int": int, "bool": bool, "list": list[Any], "map": dict[str, Any]}
FILE_PARTS = {"schema", "fields", "registry", "cases"}
CASE_PARTS = {"id", "title", "profile", "layers", "query", "expect", "registry", "protected_slots"}
LAYER_PARTS = {
    "code": {"select", "settings"},
    "profile": {"select", "settings", "deny"},
    "manifest": {"select", "settings", "trust", "secret_scope"},
    "explicit": {"select", "settings"},
    "secrets": {"store", "bindings", "state", "on_error"},
}
EXPECTED = {
    "layer", "value", "redacted", "shadowed", "reasons", "warn", "error", "without_winner", "as_profile",
}  # fmt: skip


class UsageError(Exception):
    """A file of cases that this runner cannot run."""


@dataclass(frozen=True)
class Case:
    """One case, with what its file says for all."""

    data: Mapping[str, Any]
    fields: Mapping[str, Mapping[str, Any]]
    registry: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its name among the test items."""
        return str(self.data["id"])

    @property
    def expect(self) -> Mapping[str, Any]:
        """What is to hold."""
        found: Mapping[str, Any] = self.data["expect"]
        return found

    @property
    def layers(self) -> Mapping[str, Any]:
        """The bodies of its layers."""
        return self.data.get("layers") or {}

    def changed(self, **data: Any) -> Case:
        """Return the same case with other data."""
        return Case({**self.data, **data}, self.fields, self.registry)


def read_cases(path: Path) -> list[Case]:
    """Read a file of cases. Raises UsageError for another schema, an unknown part or a case without expectations."""
    document = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{path}: its schema is not {SCHEMA}")
    _known(f"{path}", document, FILE_PARTS)
    cases = [Case(_titled(data), document["fields"], document["registry"]) for data in document["cases"]]
    for case in cases:
        where = f"{path} {case.data.get('id')}"
        _known(where, case.data, CASE_PARTS)
        if not case.data.get("expect"):
            raise UsageError(f"{where}: it expects nothing")
        _known(f"{where} expect", case.expect, EXPECTED)
        for layer, body in case.layers.items():
            if layer != "env":
                _known(f"{where} layers", {layer: body}, set(LAYER_PARTS))
                _known(f"{where} {layer}", body, LAYER_PARTS[layer])
    return cases


def _titled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case without the rest of its title, which YAML reads as keys where it holds a comma and no quotes."""
    return {name: value for name, value in data.items() if value is not None or " " not in str(name)}


def _known(where: str, given: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise UsageError(f"{where}: unknown {', '.join(unknown)}")


def build(case: Case, folder: Path, *, order: Sequence[int] | None = None) -> Application:
    """
    Build the application that a case describes.

    Args:
        case: The case.
        folder: An empty folder, which holds no configuration.
        order: In which order its layers are applied, as positions; as written without it.
    """
    registry = {**case.registry, **(case.data.get("registry") or {})}
    models, sections = _models(case.fields)
    inputs = Inputs(environ={}, folder=folder)
    app = Application("conformance", profile=case.data["profile"], catalog=_catalog(registry, models), inputs=inputs)
    for name, model in sections.items():
        app.declare_section(name, model)
    for slot in case.data.get("protected_slots") or ():
        app.slot(slot, protected=True)
    query = case.data["query"]
    if "capabilities" in query:
        app.slot(query["slot"], capabilities=query["capabilities"])
    app.configure()
    layers = [layer for name, body in case.layers.items() for layer in _layers(name, body)]
    for position in order or range(len(layers)):
        app.override(layers[position])
    return app


def layer_count(case: Case) -> int:
    """Return how many layers a case applies."""
    return sum(len(list(_layers(name, body))) for name, body in case.layers.items())


def _layers(name: str, body: Mapping[str, Any]) -> list[LayerContainer]:
    if name == "env":
        return [LayerContainer.of("env", read_env({key: str(text) for key, text in body.items()}))]
    if name == "secrets":
        rules: dict[str, Any] = {}
        if "bindings" in body:
            rules["bindings"] = {"$replace": body["bindings"]}
        if "on_error" in body:
            rules["on_error"] = body["on_error"]
        store = FakeSecrets(body.get("store") or {}, state=body.get("state", "ok"))
        return [LayerContainer("explicit", {"secrets": store}, settings={"secrets": rules} if rules else None)]
    settings = body.get("settings")
    made = [
        LayerContainer(
            name, body.get("select"), settings=settings, deny=body.get("deny"), trust=body.get("trust", "inline")
        )
    ]
    if "secret_scope" in body:
        made.append(LayerContainer("code", settings={"remote.secret_scope": body["secret_scope"]}))
    return made


def _models(fields: Mapping[str, Mapping[str, Any]]) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """Return settings models by slot and adapter, and those of sections."""
    parts: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, said in fields.items():
        *owner, name = key.split(".")
        parts.setdefault(tuple(owner), {})[name] = _field(said)
    models = {owner: create_model("_".join(owner), __base__=AdapterSettings, **made) for owner, made in parts.items()}
    by_adapter = {(".".join(owner[:-1]), owner[-1]): model for owner, model in models.items() if len(owner) > 1}
    return by_adapter, {owner[0]: model for owner, model in models.items() if len(owner) == 1}


def _field(said: Mapping[str, Any]) -> Any:
    type_ = SecretStr if said.get("secret") else TYPES[said["type"]]
    if not said.get("required"):
        type_ = type_ | None
    if said.get("protected"):
        type_ = Annotated[type_, Protected]
    if "default" not in said:
        return (type_, ...)
    default = said["default"]
    return (type_, Field(default=SecretStr(default) if said.get("secret") and default is not None else default))


class Part(Protocol):
    """What every adapter of a case is: nothing is asked of it."""


class Adapter:
    """Stands for one adapter of a case; it has settings and does nothing."""

    def __init__(self, settings: AdapterSettings) -> None:
        self.settings = settings


def _catalog(registry: Mapping[str, Sequence[Mapping[str, Any]]], models: Mapping[tuple[str, str], Any]) -> Catalog:
    """Return the catalog of a case: its adapters, the real secret stores, and those that only settings name."""
    module = ModuleType(MADE)
    sys.modules[MADE] = module
    rows = [_row(module, slot, said, models) for slot, adapters in registry.items() for said in adapters]
    named = {(row.category, row.name) for row in rows}
    rows += [
        _row(module, slot, {"name": name, "priority": -1000}, models)
        for slot, name in models
        if (slot, name) not in named
    ]
    named |= set(models)
    rows += [row for row in ROWS if row.category == "secrets" and ("secrets", row.name) not in named]
    slots = sorted({row.category for row in rows})
    paths = {slot: f"{__name__}:Part" if slot != "secrets" else f"{Secrets.__module__}:Secrets" for slot in slots}
    return Catalog([Category(slot, paths[slot]) for slot in slots], rows, third_party=False)


def _row(module: ModuleType, slot: str, said: Mapping[str, Any], models: Mapping[tuple[str, str], Any]) -> Row:
    name = f"{slot}_{said['name']}".replace(".", "_").replace("-", "_")
    settings = models.get((slot, said["name"]), AdapterSettings)
    setattr(module, name, type(name, (Adapter,), {"Settings": settings, "__module__": MADE}))
    return Row(
        slot,
        said["name"],
        f"{MADE}:{name}",
        extra=said.get("extra"),
        sdk=None if said.get("installed", True) else "a_module_that_is_not_there",
        priority=said.get("priority", 0),
        capabilities=frozenset(said.get("capabilities") or ()),
    )
