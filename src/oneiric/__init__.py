"""
Oneiric: a dependency-injection container framework.

Names are loaded when they are touched: importing the package imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric.containers.active import using
    from oneiric.containers.container import Container
    from oneiric.containers.explanation import Explanation
    from oneiric.containers.injection import inject
    from oneiric.containers.layers import LayerContainer
    from oneiric.core.adapter import AdapterSettings
    from oneiric.core.errors import OneiricError
    from oneiric.core.event import Event
    from oneiric.core.health import Health
    from oneiric.core.markers import INJECTED, Factory, Inject, Named, Protected, Public, Ref
    from oneiric.core.settings import Settings
    from oneiric.providers.engine import Provide
    from oneiric.runtime.application import Application
    from oneiric.runtime.configuration import Inputs

_HOMES = {
    "AdapterSettings": "core.adapter",
    "Application": "runtime.application",
    "Container": "containers.container",
    "Event": "core.event",
    "Explanation": "containers.explanation",
    "Factory": "core.markers",
    "Health": "core.health",
    "INJECTED": "core.markers",
    "Inject": "core.markers",
    "Inputs": "runtime.configuration",
    "LayerContainer": "containers.layers",
    "Named": "core.markers",
    "OneiricError": "core.errors",
    "Protected": "core.markers",
    "Provide": "providers.engine",
    "Public": "core.markers",
    "Ref": "core.markers",
    "Settings": "core.settings",
    "inject": "containers.injection",
    "using": "containers.active",
}

__all__ = [
    "INJECTED",
    "AdapterSettings",
    "Application",
    "Container",
    "Event",
    "Explanation",
    "Factory",
    "Health",
    "Inject",
    "Inputs",
    "LayerContainer",
    "Named",
    "OneiricError",
    "Protected",
    "Provide",
    "Public",
    "Ref",
    "Settings",
    "inject",
    "using",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
