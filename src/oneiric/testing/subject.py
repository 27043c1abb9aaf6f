"""The application under test: where it is named, and how it is set up for one test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from oneiric.containers.active import as_default
from oneiric.core.errors import AppNotImportable
from oneiric.runtime.application import Application
from oneiric.runtime.orchestrator import find_reference, load_application

PROFILE = "test"
FIXTURE = "oneiric_application"


def find_application(environ: Mapping[str, str], folder: Path) -> Application:
    """
    Import the application that `ONEIRIC_APP` names, or `[tool.oneiric] app` in the pyproject.toml of a folder.

    Raises:
        Failed: Nobody names one.
        AppNotImportable: It cannot be imported, or is no application.
    """
    try:
        reference = find_reference(None, environ, folder)
    except AppNotImportable:
        pytest.fail(
            "no application to test: neither ONEIRIC_APP nor [tool.oneiric] app in pyproject.toml says one\n"
            f"fix: define the fixture {FIXTURE}, which returns it   or   set ONEIRIC_APP=package.module:app",
            pytrace=False,
        )
    return load_application(reference, folder)


@contextmanager
def under_test(application: object) -> Iterator[Application]:
    """
    Let an application be the default of the process, in profile `test`, inside the block; afterwards all is as before.

    A profile that was asked for by name, `configure(Inputs(profile="serverless"))`, stands.

    Raises:
        Failed: It is no application, or it runs already in another profile.
    """
    if not isinstance(application, Application):
        what = type(application).__name__
        pytest.fail(f"fixture {FIXTURE} has to return an Application, and returned a {what}", pytrace=False)
    before = application.inputs
    is_changed = before.profile is None and application.profile.name != PROFILE
    if is_changed:
        if application.state in {"starting", "started"}:
            pytest.fail(
                f"application {application.name} was started in profile {application.profile.name}, not in {PROFILE}\n"
                'fix: configure it before its start: app.configure(Inputs(profile="test"))',
                pytrace=False,
            )
        application.configure(replace(before, profile=PROFILE))
    try:
        with as_default(application):
            yield application
    finally:
        if is_changed and application.state not in {"starting", "started"}:
            application.unconfigure(before)
