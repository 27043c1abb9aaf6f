"""The contract suites in somebody else's project: an adapter of another distribution inherits them."""

from __future__ import annotations

import pytest

from tests.testing.project import run

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PIGEON = """
from __future__ import annotations

from pydantic import Field

from oneiric.adapters.messaging import NotificationMessage, Receipt
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import NotOpen, Unsupported


class PigeonMessaging:
    class Settings(AdapterSettings):
        loft: str = Field(default="loft", min_length=1, description="where the pigeons live")

    def __init__(self, settings: Settings) -> None:
        self._count: int | None = None

    async def open(self) -> None:
        self._count = 0

    async def close(self) -> None:
        self._count = None

    async def health(self) -> Health:
        return Health(self._count is not None, "" if self._count is not None else "not open")

    async def send(self, message: NotificationMessage) -> Receipt:
        where = {"category": "messaging", "name": "pigeon", "operation": "send"}
        if self._count is None:
            raise NotOpen("open it first", **where)
        if message.html is not None or message.attachments:
            raise Unsupported("no html, no attachments", **where)
        self._count += 1
        return Receipt(RECEIPT, message.to)
"""

INHERITS = """
from oneiric.testing.contracts.messaging import MessagingContract
from pigeon import PigeonMessaging

class TestPigeonMessaging(MessagingContract):
    adapter = PigeonMessaging
"""


def test_an_adapter_that_keeps_the_contract_passes_its_suite(project: pytest.Pytester) -> None:
    """One class of two lines runs every rule of adapters and of the category."""
    project.makepyfile(pigeon=PIGEON.replace("RECEIPT", 'f"pigeon-{self._count}"'))

    result = run(project, INHERITS)

    outcomes = result.parseoutcomes()
    assert result.ret == pytest.ExitCode.OK
    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] >= 30


def test_an_adapter_that_breaks_a_rule_fails_that_rule_with_both_sides_shown(project: pytest.Pytester) -> None:
    """Receipts of one id break one rule, and the report shows the values that were compared."""
    project.makepyfile(pigeon=PIGEON.replace("RECEIPT", '"pigeon"'))

    result = run(project, INHERITS)

    outcomes = result.parseoutcomes()
    assert (set(outcomes), outcomes["failed"]) == ({"passed", "failed"}, 1)
    result.stdout.fnmatch_lines(["E*AssertionError: assert 'pigeon' != 'pigeon'"])
    result.stdout.fnmatch_lines(["FAILED test_shop.py::TestPigeonMessaging::test_two_messages_have_two_ids - *"])
