"""What `oneiric bundle` answers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import APPS, of_app, steady
from tests.support.golden import check_golden

LEAN, FAULTY, TALKING = of_app("lean_shop"), of_app("faulty_shop"), of_app("talking_shop")
OWN = version("oneiric")
FILE = """\
[select]
cache = "redis"
"cache.sessions" = "redis"

[profiles.serverless.select]
secrets = "gcp"
"cache.sessions" = "memory"
"""


@pytest.fixture(autouse=True)
def configured(folder: Path) -> None:
    """A configuration file that chooses adapters whose extras are not installed."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")


def unversioned(text: str) -> str:
    """Return an answer that the next release does not change."""
    return steady(text).replace(f"=={OWN}", "==0")


BUNDLES = [
    pytest.param((), id="default"),
    pytest.param(("--profile", "serverless"), id="serverless"),
    pytest.param(("--profile", "serverless", "--only", "reserve"), id="a handler"),
    pytest.param(("--profile", "serverless", "--only", "book"), id="a handler that reads a secret"),
    pytest.param(("--profile", "serverless", "--only", "forget"), id="a handler that needs nothing"),
    pytest.param(("--profile", "test", "--select", "cache=memory"), id="with a choice"),
]


@pytest.mark.parametrize("arguments", BUNDLES)
def test_a_bundle_reads_as_its_golden(oneiric: Run, request: pytest.FixtureRequest, arguments: tuple[str, ...]) -> None:
    """It is a requirements file: a comment says who needs what, and each other line is a requirement."""
    done = oneiric("bundle", *LEAN, *arguments)

    assert (done.code, done.err) == (0, "")
    check_golden(f"cli/bundle/{request.node.callspec.id.replace(' ', '-')}.txt", unversioned(done.out))


def test_a_bundle_is_an_object_too(oneiric: Run) -> None:
    """Every requirement with its parts, and with the slots that need it."""
    answer = oneiric("bundle", *LEAN, "--only", "book", "--profile", "serverless", "--json").answer

    assert answer == {
        "schema": 1,
        "kind": "bundle",
        "app": "lean",
        "profile": "serverless",
        "only": "book",
        "requirements": [
            {
                "requirement": f"oneiric[gcp-secrets]=={OWN}",
                "distribution": "oneiric",
                "version": OWN,
                "extras": ["gcp-secrets"],
                "needed_by": [{"slot": "secrets", "adapter": "gcp", "extra": "gcp-secrets"}],
            }
        ],
        "warnings": [],
    }


UNKNOWN = [
    pytest.param(LEAN, "reserv", "did you mean reserve?", id="nearly a handler"),
    pytest.param(LEAN, "cache", "choose one of: book, forget, reserve", id="a slot"),
    pytest.param(TALKING, "reserve", "nothing is registered", id="no handler at all"),
]


@pytest.mark.parametrize(("application", "name", "hint"), UNKNOWN)
def test_a_handler_that_is_not_there_is_refused_with_the_nearest_name(
    oneiric: Run, application: tuple[str, ...], name: str, hint: str
) -> None:
    """It exits with 2, since the command line is at fault."""
    done = oneiric("bundle", *application, "--only", name)

    assert (done.code, done.out) == (2, "")
    assert f'error[bad-option] oneiric bundle: --only: "{name}" is no registered function; {hint}' in done.err


def test_an_application_with_faults_has_no_bundle(oneiric: Run) -> None:
    """It exits with 1, every fault has its block, and nothing is on standard output that pip could install."""
    done = oneiric("bundle", *FAULTY, "--config", "other.toml", ONEIRIC_CONFIG="")
    (Path("other.toml")).write_text("", "utf-8")
    found = oneiric("bundle", *FAULTY, "--config", "other.toml")

    assert (done.code, done.out) == (2, "")
    assert (found.code, found.out) == (1, "")
    assert [line.split("]")[0] for line in found.err.splitlines() if line.startswith("error[")] == [
        "error[invalid-application",
        "error[dependency-cycle",
        "error[missing-dependency",
        "error[scope-leak",
        "error[wrong-type",
    ]


def test_a_store_that_does_not_answer_here_is_told_beside_the_bundle(oneiric: Run) -> None:
    """The credentials of systemd are on another machine; the bundle is made all the same."""
    done = oneiric("bundle", *LEAN, "--profile", "systemd", "--only", "book")

    assert (done.code, unversioned(done.out)) == (0, "# lean   profile systemd   only book\noneiric==0")
    assert done.err.startswith('warning[secret-unavailable] till.key: the secret "till-key" cannot be had: ')


def test_a_bundle_imports_no_sdk(folder: Path) -> None:
    """An SDK that is installed here stays on the disk, whichever store is chosen."""
    program = (
        "import sys\n"
        "from oneiric.cli import main\n"
        "main(sys.argv[1:])\n"
        "print(sorted({'boto3', 'botocore', 'google', 'grpc', 'keyring'} & set(sys.modules)))\n"
    )
    arguments = ("bundle", "--app", "lean_shop:app", "--app-dir", str(APPS), "--select", "secrets=aws")

    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[-2:] == [f"oneiric[aws,redis]=={OWN}", "[]"]
