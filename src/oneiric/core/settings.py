"""Settings of an application: a pydantic-settings model for one section of the configuration, fed by our layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from oneiric.core.log import Guarded

_said: ContextVar[tuple[type, Mapping[str, Any]] | None] = ContextVar("oneiric_settings", default=None)


class LayerSource(PydanticBaseSettingsSource):
    """What the layers of an application say, while it builds its settings; nothing at any other time."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing for a single field: the layers hand over all of them at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        said = _said.get()
        return dict(said[1]) if said is not None and said[0] is self.settings_cls else {}


class Settings(Guarded, BaseSettings):
    """
    Settings of an application for one section: `class OrdersSettings(Settings, section="orders")`.

    An application feeds it from its layers, `[settings.orders]` and `ONEIRIC_ORDERS__…` among them, and injects it:
    `Inject[OrdersSettings]`. Built directly it has its arguments and its defaults; no environment and no file is read.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    __section__: ClassVar[str | None] = None

    def __init_subclass__(cls, section: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if section is not None:
            cls.__section__ = section

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the only two sources: arguments, and the layers of the application that builds it."""
        return init_settings, LayerSource(settings_cls)

    @classmethod
    def from_layers(cls, said: Mapping[str, Any]) -> Any:
        """Build it from what layers say, by the names that its fields are taken from. Raises ValidationError."""
        with _feeding(cls, said):
            return cls()


@contextmanager
def _feeding(model: type, said: Mapping[str, Any]) -> Iterator[None]:
    token = _said.set((model, said))
    try:
        yield
    finally:
        _said.reset(token)
