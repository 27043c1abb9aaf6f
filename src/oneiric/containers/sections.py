"""The sections of the configuration that an application reads: each a settings model, imported when it is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from oneiric.core.importing import load
from oneiric.core.texts import folded


def section_of(model: Any) -> str | None:  # the type of a parameter, or whatever stands there
    """Return the section that a settings model names itself; None for any other type."""
    name = getattr(model, "__section__", None) if isinstance(model, type) else None
    return name if isinstance(name, str) else None


class Sections(Mapping[str, Any]):
    """Settings models by the name of their section; one that is declared as `module:Class` is imported when read."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}

    def declare(self, name: str, model: type | str) -> None:
        """Let a section be read; a later declaration of the same name replaces the earlier one."""
        self._models[name] = model

    def is_loaded(self, name: str) -> bool:
        """Tell whether the model of a section is imported already."""
        return not isinstance(self._models[name], str)

    def about(self, keys: Collection[str]) -> Sections:
        """Return those sections of which a setting has one of these keys; a variable knows neither case nor `-`."""
        found = Sections()
        for name, model in self._models.items():
            heads = (f"{name}.", f"{folded(name)}.")
            if any(key.startswith(heads) for key in keys):
                found.declare(name, model)
        return found

    def __getitem__(self, name: str) -> Any:
        model = self._models[name]
        if isinstance(model, str):
            model = self._models[name] = load(model)
        return model

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)
