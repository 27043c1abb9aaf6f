"""A bundle in a clean environment: what it names is enough for the application, and nothing else is there."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import is_ci
from tests.support.command import ROOT, run_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
UNREACHED = ("Could not find a version", "Connection", "Failed to establish", "Temporary failure", "timed out")

APP = """\
from __future__ import annotations

import asyncio

from keyring.backend import KeyringBackend
from pydantic import SecretStr

from oneiric import INJECTED, Application, Event, Inject, Settings, inject


class Drawer(KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return {"till-key": "brass"}.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


class TillSettings(Settings, section="till"):
    key: SecretStr


app = Application("kiosk")


@app.on("order.paid", name="book")
@inject
async def book(event: Event, till: Inject[TillSettings] = INJECTED) -> None:
    print("opened with the key of the keyring:", till.key.get_secret_value() == "brass")


async def main() -> None:
    async with app:
        await app.events.emit(Event(type="order.paid"))


if __name__ == "__main__":
    asyncio.run(main())
"""
FILE = """\
[profiles.serverless.select]
secrets = "keyring"

[settings.secrets.keyring]
backend = "kiosk.Drawer"
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without anything in the environment that Oneiric or the import path would read."""
    hidden = {"PYTHONPATH", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("ONEIRIC_")}
    environ = {**kept, "NO_COLOR": "1", **variables}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8", check=False)


def test_an_application_runs_on_its_bundle_and_nothing_else(tmp_path: Path) -> None:
    """The store that the profile chooses is installed, those that it does not choose are not."""
    (tmp_path / "kiosk.py").write_text(APP, "utf-8")
    (tmp_path / "oneiric.toml").write_text(FILE, "utf-8")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    build = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path / "wheels")
    built = run(python, "-m", "pip", "wheel", ROOT, *build, cwd=tmp_path, PYTHONPATH=sysconfig.get_path("purelib"))
    assert built.returncode == 0, built.stderr
    bundled = run_process("bundle", "--app", "kiosk:app", "--profile", "serverless", folder=tmp_path)
    assert (bundled.code, "oneiric[keyring]==" in bundled.out) == (0, True), bundled.err
    (tmp_path / "requirements.txt").write_text(bundled.out, "utf-8")

    installed = run(
        *(python, "-m", "pip", "install", "--disable-pip-version-check", "--find-links", tmp_path / "wheels"),
        *("-r", tmp_path / "requirements.txt"),
        cwd=tmp_path,
    )
    if installed.returncode != 0 and any(said in installed.stderr for said in UNREACHED) and not is_ci():
        pytest.skip("the package index cannot be reached")
    assert installed.returncode == 0, installed.stderr

    checked = run(python, "-m", "oneiric", "check", "--app", "kiosk:app", "--profile", "serverless", cwd=tmp_path)
    served = run(python, "kiosk.py", cwd=tmp_path, ONEIRIC_PROFILE="serverless")
    listed = run(python, "-m", "pip", "list", "--format", "freeze", cwd=tmp_path)
    names = {line.partition("==")[0].lower() for line in listed.stdout.splitlines()}
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert (served.returncode, served.stdout) == (0, "opened with the key of the keyring: True\n"), served.stderr
    assert {"oneiric", "keyring"} <= names
    assert {"boto3", "botocore", "grpcio", "google-cloud-secret-manager", "pytest"} & names == set()
