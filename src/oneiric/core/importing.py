"""Importing by name, at the moment something is needed and never before."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from oneiric.core.errors import AppNotImportable, NotInstalled, OneiricError
from oneiric.core.log import scrub

MEND = "mend the module; --debug shows where it fails"
_found: set[str] = set()


def load(reference: str) -> Any:  # whatever the module holds under that name
    """
    Import `module:attribute` and return the attribute; dots reach further in.

    Raises:
        AppNotImportable: The reference has no colon, the module does not import, or it lacks the attribute.
            An exception raised by the module's own code is chained; credentials in its text are hidden.
    """
    module_name, colon, path = reference.partition(":")
    if not colon or not module_name or module_name.startswith(".") or not path:
        raise AppNotImportable(reference, "it is not of the form module:attribute")
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # border: the imported module may fail or exit; it is reported, chained
        said = scrub(error.message if isinstance(error, OneiricError) else str(error))
        is_absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        fixes = error.fixes if isinstance(error, OneiricError) else () if is_absent else (MEND,)
        raise AppNotImportable(reference, f"{type(error).__name__}: {said}", fixes=fixes) from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise AppNotImportable(reference, f'"{module_name}" has no attribute "{path}"') from error
    return found


def require(module: str, *, extra: str) -> ModuleType:
    """
    Import an SDK inside an adapter's `open`.

    Args:
        module: The module to import, such as `redis.asyncio`.
        extra: The extra of Oneiric that installs it.

    Raises:
        NotInstalled: The SDK is absent; the message holds the install line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".")[0] != error.name.split(".")[0]:
            raise  # the SDK is there, and something that it needs is not
        raise NotInstalled(sdk=module, extra=extra) from None


def is_installed(module: str) -> bool:
    """Tell whether a top-level module can be imported, without importing it; one that was found once stays found."""
    name = module.split(".")[0]
    if name in _found:
        return True
    try:
        is_there = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
    if is_there:
        _found.add(name)
    return is_there


class _Hidden(MetaPathFinder):
    """Answers "no such module" for some modules, to the thread that made it."""

    def __init__(self, names: Container[str]) -> None:
        self.names = names
        self.thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse the hidden modules; leave everything else to the finders that follow."""
        if fullname.partition(".")[0] in self.names and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"No module named {fullname!r} (hidden from one import)", name=fullname)
        return None


@contextmanager
def hiding(names: Container[str]) -> Iterator[None]:
    """
    Hide optional modules from the imports inside the block, in this thread only.

    For libraries that import whatever is installed, whether it is needed or not.
    """
    finder = _Hidden(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
