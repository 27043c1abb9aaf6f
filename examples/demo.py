"""
Show the order example at work: `python -m examples.demo`.

A real server takes 50 orders over HTTP, another process counts what is in its database, and Oneiric says why
everything is as it is. Then the configuration changes while orders are flowing. The exit status is 0 if every count and
every answer is right.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from examples.server import ROOT, Server, ServerFailed, environment, oneiric

CONFIG = "examples/orders/oneiric.toml"
EXPECTED = {"accepted": 43, "duplicates": 6, "rejected": 1}
REPEATED = ("A-1003", "A-1003", "A-1010", "A-1017", "A-1024", "A-1031")
CUSTOMERS = ("ada", "bob", "cleo", "dan", "eve", "finn", "gus")
ARTICLES = ("COFFEE", "FILTER", "KETTLE", "MUG", "TEA")
CALLERS = 8
FIRST_LIVE = 5000  # the number of the first order of the live change


class DemoFailed(Exception):
    """Something is not as the demo says."""


def orders() -> list[dict[str, object]]:
    """Return 50 orders: 43 new ones, 6 that come again, and one of nothing."""
    new = [order(f"A-{1000 + n}", n) for n in range(EXPECTED["accepted"])]
    again = [order(number, n) for n, number in enumerate(REPEATED)]
    return [*new, *again, {**order("A-1043", 0), "lines": []}]


def order(number: str, n: int) -> dict[str, object]:
    """Return the n-th order under a number."""
    lines = [{"sku": ARTICLES[(n + k) % len(ARTICLES)], "quantity": 1 + (n + k) % 3} for k in range(1 + n % 2)]
    return {"number": number, "customer": CUSTOMERS[n % len(CUSTOMERS)], "lines": lines}


def post(server: Server, n: int, data: dict[str, object]) -> int:
    """Send an order as a CloudEvent, structured and binary by turns; return the status."""
    attributes = {"specversion": "1.0", "type": "order.created", "source": "/demo", "id": f"order-{n}"}
    if n % 2:
        body = json.dumps({**attributes, "datacontenttype": "application/json", "data": data}).encode()
        return server.call("/push/events", body, {"Content-Type": "application/cloudevents+json"})
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    return server.call("/push/events", json.dumps(data).encode(), {**headers, "Content-Type": "application/json"})


class Screen:
    """What a person sees: numbered steps, bold on a terminal and plain elsewhere."""

    def __init__(self) -> None:
        self._steps = 0
        self._is_terminal = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def step(self, text: str) -> None:
        """Begin a step."""
        self._steps += 1
        line = f"{self._steps}. {text}"
        print(f"\n\x1b[1m{line}\x1b[0m" if self._is_terminal else f"\n{line}", flush=True)

    def say(self, text: str) -> None:
        """Show lines below a step."""
        for line in text.splitlines():
            print(f"   {line}".rstrip(), flush=True)


def take_orders(server: Server, screen: Screen) -> None:
    """Send the orders. Raises DemoFailed unless each is answered 204."""
    screen.step("Send 50 orders over HTTP: 43 new, 6 that come again, 1 that is none")
    everything = orders()
    first = everything[: EXPECTED["accepted"]]
    with ThreadPoolExecutor(CALLERS) as pool:  # all new ones first, so that it is certain which one of a number is new
        statuses = list(pool.map(lambda sent: post(server, *sent), enumerate(first)))
        rest = enumerate(everything[len(first) :], start=len(first))
        statuses += pool.map(lambda sent: post(server, *sent), rest)
    answers = {status: statuses.count(status) for status in sorted(set(statuses))}
    screen.say(", ".join(f"{count} answered {status}" for status, count in answers.items()))
    if answers != {204: len(everything)}:
        raise DemoFailed(f"not every order was answered with 204; {trouble(server)}")


def trouble(server: Server) -> str:
    """Return the first error that the server has logged, in full, or all that it has printed."""
    errors = server.errors()
    if not errors:
        return f"the server printed:\n{server.text()}"
    first = "\n".join(f"{name}: {value}" for name, value in errors[0].items())
    return f"the server logged {len(errors)} errors, first:\n{first}"


def recorded(folder: Path) -> dict[str, int]:
    """Return what another process finds in the database. Raises DemoFailed if it cannot be read."""
    command = [sys.executable, "-m", "examples.orders.report", str(folder / "orders.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise DemoFailed(f"the database cannot be read:\n{done.stderr}")
    found: dict[str, int] = json.loads(done.stdout)
    return found


def count_orders(folder: Path, server: Server, screen: Screen) -> None:
    """Let another process read the database. Raises DemoFailed if a count is wrong."""
    screen.step("Another process reads the SQLite file")
    found = recorded(folder)
    found["receipts in storage"] = len(list((folder / "files" / "receipts").glob("*.json")))
    found["messages sent"] = server.text().count("[info] order A-")
    total_cents = found.pop("total_cents")
    wanted = {**EXPECTED, "receipts in storage": 43, "messages sent": 43}
    screen.say(f"{'':20}{'expected':>9}{'found':>7}")
    for name, count in wanted.items():
        screen.say(f"{name:20}{count:>9}{found[name]:>7}{'' if found[name] == count else '   WRONG'}")
    screen.say(f"{'sum of the orders':20}{total_cents / 100:>16,.2f}")
    if found != wanted:
        raise DemoFailed("a count is wrong")


def explain(screen: Screen) -> None:
    """Ask for the reasons, before and after a variable. Raises DemoFailed if the variable changes nothing."""
    before = environment(ONEIRIC_CONFIG=CONFIG)
    screen.step("Why this cache? Because the file says so")
    screen.say(shown("explain", "cache", environ=before, winner="profile"))
    screen.step("The same question with a variable in the environment")
    screen.say(shown("explain", "cache", environ={**before, "ONEIRIC_SELECT__CACHE": "memory"}, winner="env"))
    screen.step("A variable can also change the adapter itself")
    screen.say(shown("explain", "storage", environ={**before, "ONEIRIC_SELECT__STORAGE": "memory"}, winner="env"))


def secret(folder: Path, screen: Screen) -> None:
    """Put a key into a secret store and another one into a variable. Raises DemoFailed if the wrong one counts."""
    store = folder / "secrets"
    store.mkdir(mode=0o700)
    key = store / "receipts-key"
    key.touch(mode=0o600)
    key.write_text("from the store", "utf-8")
    environ = environment(
        ONEIRIC_CONFIG=CONFIG,
        ONEIRIC_SELECT__SECRETS="file",
        ONEIRIC_SECRETS__FILE__FOLDER=str(store),
        ONEIRIC_RECEIPTS__KEY="from the environment",
    )
    screen.step("A key in a secret store, and another one in a variable: on a laptop the variable counts")
    screen.say(shown("explain", "receipts.key", environ=environ, winner="env"))
    screen.step("Deployed, the secret store is the authority: the same variable is shadowed")
    answer = shown("explain", "receipts.key", "--profile", "serverless", environ=environ, winner="secrets")
    screen.say(answer)
    if "from the" in answer:
        raise DemoFailed("a secret is shown")


def change_live(folder: Path, server: Server, environ: dict[str, str], screen: Screen) -> None:
    """Edit the server's file while orders come in. Raises DemoFailed if one of them is lost, or nothing is swapped."""
    screen.step("Edit oneiric.toml while orders are flowing: receipts go to memory from now on")
    statuses: list[int] = []
    is_over = threading.Event()

    def send(caller: int) -> None:
        n = FIRST_LIVE + caller
        while not is_over.is_set():
            statuses.append(post(server, n, order(f"L-{n}", n)))
            n += CALLERS

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(send, caller) for caller in range(CALLERS)]
        try:
            config = folder / "oneiric.toml"
            beside = folder / "oneiric.toml.new"
            beside.write_text(config.read_text("utf-8").replace('storage = "local"', 'storage = "memory"'), "utf-8")
            beside.replace(config)
            flipped = server.wait_for("swap flipped", slot="storage")
            server.wait_for("slot closed", slot="storage")  # when no order works with the old one any more
        finally:
            is_over.set()
        for caller in callers:
            caller.result()
    screen.say(f"storage: {flipped['before']} -> {flipped['after']}, generation {flipped['generation']}")
    accepted = recorded(folder)["accepted"] - EXPECTED["accepted"]
    screen.say(f"{len(statuses)} orders came in meanwhile, {statuses.count(204)} answered 204, {accepted} written down")
    if set(statuses) != {204} or accepted != len(statuses):
        raise DemoFailed(f"an order was lost; {trouble(server)}")
    screen.step("What happened, and which states there were: oneiric activity, oneiric generations")
    screen.say(oneiric("activity", "--slot", "storage", environ=environ))
    screen.say(oneiric("generations", environ=environ))


def shown(*arguments: str, environ: dict[str, str], winner: str) -> str:
    """
    Return a question and the part of its answer that says which layer decided.

    Raises:
        DemoFailed: Another layer wins.
    """
    decided = oneiric(*arguments, environ=environ).partition("\nsettings of ")[0]
    if f"\n* {winner} " not in decided:
        raise DemoFailed(f"layer {winner} does not decide:\n{decided}")
    given = [f"{name}={value}" for name, value in environ.items() if name.startswith("ONEIRIC_SELECT__")]
    return "\n".join([f"$ {' '.join([*given, 'oneiric', *arguments])}", decided])


def run(folder: Path, screen: Screen) -> None:
    """Run all steps with the data in one folder. Raises DemoFailed or ServerFailed at the first that goes wrong."""
    shutil.copy(ROOT / CONFIG, folder / "oneiric.toml")  # a file of the demo's own, since it is changed
    environ = environment(
        ONEIRIC_CONFIG=str(folder / "oneiric.toml"),
        ONEIRIC_ACTIVITY__PATH=str(folder / "activity.sqlite"),
        XDG_RUNTIME_DIR=str(folder),
        ONEIRIC_PUSH__AUTH="none",
        ONEIRIC_WEB__HOST="127.0.0.1",
        ONEIRIC_DATABASE__SQLITE__PATH=str(folder / "orders.db"),
        ONEIRIC_STORAGE__LOCAL__ROOT=str(folder / "files"),
    )
    screen.step("Start the server: oneiric orchestrate --app examples.orders.app:app")
    with Server(environ, folder / "server.log") as server:
        seconds = server.wait_until_ready()
        screen.say(f"process {server.pid} listens on {server.origin}, ready after {seconds:.1f} s")
        take_orders(server, screen)
        count_orders(folder, server, screen)
        explain(screen)
        secret(folder, screen)
        screen.step("Who needs whom: oneiric graph")
        screen.say(oneiric("graph", environ=environment(ONEIRIC_CONFIG=CONFIG)))
        change_live(folder, server, environ, screen)
        screen.step("Stop the server: SIGTERM")
        code, seconds = server.stop()
        opened = [line["slot"] for line in server.lines("slot opened")]
        closed = [line["slot"] for line in server.lines("slot closed")]
        screen.say(f"exit code {code} after {seconds:.1f} s; {len(opened)} slots opened, {len(closed)} closed")
        if code != 0 or sorted(opened) != sorted(closed) or server.errors():
            raise DemoFailed(f"the server did not serve or end cleanly; {trouble(server)}")


def main() -> int:
    """Run the demo; return the exit status."""
    # An end that is asked for passes through the blocks that stop the server and remove the data.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a stream may lack the lines of the graph
    screen = Screen()
    print("Oneiric: an order service with a database, two caches, storage and messaging, all injected.")
    with tempfile.TemporaryDirectory(prefix="oneiric-demo-") as folder:
        try:
            run(Path(folder), screen)
        except (DemoFailed, ServerFailed) as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted; the server is stopped.", file=sys.stderr)
            return 130
    print("\nEverything is as expected. Next: docs/tutorial.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
