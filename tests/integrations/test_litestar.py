"""Litestar: injected parameters are none of its own, in functions and in controllers."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from litestar import Controller, Litestar, get, post
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.testing import TestClient

from oneiric import INJECTED, Application, Inject, inject
from oneiric.integrations.litestar import InjectionMiddleware, lifespan
from tests.integrations.shop import Broken, Desk, Greeting, Session, shop


def server(app: Application, *handlers: Any) -> Litestar:
    """Return a server of an application."""
    middleware = DefineMiddleware(InjectionMiddleware, application=app)
    return Litestar(list(handlers), lifespan=[lifespan(app)], middleware=[middleware])


@post("/orders/{number:int}")
@inject
async def order(
    number: Annotated[int, PathParameter()],
    note: Annotated[str, QueryParameter()],
    data: JSONBody[list[str]],
    greeting: Inject[Greeting] = INJECTED,
    session: Inject[Session] = INJECTED,
) -> dict[str, Any]:
    """Place an order."""
    return {"number": number, "note": note, "items": data, "said": greeting.word, "session": session.use()}


def test_injected_parameters_are_no_part_of_the_interface() -> None:
    """Path, query and body are untouched, and the document names them alone."""
    api = server(shop(Desk()), order)

    with TestClient(api) as client:
        answer = client.post("/orders/7", params={"note": "quick"}, json=["ink"])

    assert answer.json() == {"number": 7, "note": "quick", "items": ["ink"], "said": "hello", "session": 0}
    documented = api.openapi_schema.to_schema()["paths"]["/orders/{number}"]["post"]
    assert sorted((p["name"], p["in"]) for p in documented["parameters"]) == [("note", "query"), ("number", "path")]


class Words(Controller):
    path = "/words"

    @get("/later")
    @inject
    async def later(self, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> str:
        return f"{greeting.word} {session.use()}"

    @get("/thread", sync_to_thread=True)
    @inject
    def thread(self, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> str:
        return f"{greeting.word} {session.use()}"


@pytest.mark.parametrize("path", [pytest.param(path, id=path) for path in ("later", "thread")])
def test_methods_of_a_controller_are_injected(path: str) -> None:
    """Asynchronous ones, and synchronous ones in a thread."""
    desk = Desk()

    with TestClient(server(shop(desk), Words)) as client:
        answers = [client.get(f"/words/{path}").text for _ in range(2)]

    assert answers == ["hello 0", "hello 1"]
    assert desk.ends == ["commit", "commit"]


@pytest.mark.parametrize(
    ("error", "status", "end"),
    [
        pytest.param(HTTPException(status_code=403), 403, "rollback: HTTPException", id="a refusal"),
        pytest.param(Broken(), 500, "rollback: Broken", id="a fault"),
    ],
)
def test_what_a_handler_raises_reaches_the_session(error: Exception, status: int, end: str) -> None:
    """Litestar makes an answer of it."""
    desk = Desk()

    @get("/")
    @inject
    async def fail(session: Inject[Session] = INJECTED) -> str:
        raise error

    with TestClient(server(shop(desk), fail), raise_server_exceptions=False) as client:
        assert client.get("/").status_code == status

    assert desk.ends == [end]
