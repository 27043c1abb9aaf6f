"""Programs that tests run and that no package index has: they come from the packages of the system."""

from __future__ import annotations

import os
import shutil

import pytest


def installed(package: str, *programs: str) -> str:
    """
    Return the path of the first program that is there.

    Where none is, the test is skipped with the reason; in CI it fails.

    Args:
        package: The Debian package that has one of them.
        programs: By name; systems name the same one differently.
    """
    for path in map(shutil.which, programs):
        if path is not None:
            return path
    reason = f"no {programs[0]}: apt-get install {package}"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)
