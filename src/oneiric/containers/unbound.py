"""Methods that only an object has: calling one on the class is refused, and says what to call instead."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, cast

from oneiric.core.errors import ClassOverride

F = TypeVar("F", bound=Callable[..., Any])


class _OfObjects:
    """Binds to an object as a function does; what a class hands out refuses calls without an object."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        function = self._function
        if instance is not None:
            return MethodType(function, instance)

        @functools.wraps(function)
        def refuse(*args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], owner):
                return function(*args, **kwargs)  # `Container.override(app, ...)` means the object `app`
            raise ClassOverride(owner.__name__, function.__name__)

        return refuse


def of_objects(function: F) -> F:
    """
    Make a method refuse calls on the class: the engine offers them, and objects that exist do not see the effect.

    Calling it on the class raises ClassOverride.
    """
    return cast(F, _OfObjects(function))
