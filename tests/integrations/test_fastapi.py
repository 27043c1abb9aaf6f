"""FastAPI: what it takes for parameters, what it documents, and injected dependencies of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import fastapi
import pytest
from fastapi import Body, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient

from oneiric import INJECTED, Application, Inject, inject
from oneiric.integrations.fastapi import InjectionMiddleware, lifespan
from tests.integrations.shop import Broken, Desk, Greeting, Session, shop


def server(app: Application) -> FastAPI:
    """Return a server of an application, without endpoints."""
    api = FastAPI(lifespan=lifespan(app))
    api.add_middleware(InjectionMiddleware, application=app)
    return api


def test_injected_parameters_are_no_part_of_the_interface() -> None:
    """Path, query and body are untouched, and the document names them alone."""
    api = server(shop(Desk()))

    @api.post("/orders/{number}")
    @inject
    async def order(
        number: int,
        note: str,
        items: Annotated[list[str], Body()],
        greeting: Inject[Greeting] = INJECTED,
        session: Inject[Session] = INJECTED,
    ) -> dict[str, Any]:
        """Place an order."""
        return {"number": number, "note": note, "items": items, "said": greeting.word, "session": session.use()}

    with TestClient(api) as client:
        answer = client.post("/orders/7", params={"note": "quick"}, json=["ink"])
        refused = client.post("/orders/seven", params={"note": "quick"}, json=["ink"])

    assert answer.json() == {"number": 7, "note": "quick", "items": ["ink"], "said": "hello", "session": 0}
    assert refused.status_code == 422
    documented = api.openapi()["paths"]["/orders/{number}"]["post"]
    assert documented["description"] == "Place an order."
    assert [(p["name"], p["in"]) for p in documented["parameters"]] == [("number", "path"), ("note", "query")]
    assert documented["requestBody"]["content"]["application/json"]["schema"]["items"] == {"type": "string"}
    assert list(api.openapi()["components"]["schemas"]) == ["HTTPValidationError", "ValidationError"]


@inject
def by_function(session: Inject[Session] = INJECTED) -> int:
    return session.use()


@inject
async def by_coroutine(session: Inject[Session] = INJECTED) -> int:
    return session.use()


@inject
def by_generator(session: Inject[Session] = INJECTED) -> Iterator[int]:
    yield session.use()
    session.use()


@inject
async def by_async_generator(session: Inject[Session] = INJECTED) -> AsyncIterator[int]:
    yield session.use()
    session.use()


@inject
class ByClass:
    def __init__(self, session: Inject[Session] = INJECTED) -> None:
        self.number = session.use()

    def __eq__(self, other: object) -> bool:
        return self.number == other

    __hash__ = None  # type: ignore[assignment]  # it is compared with a number


@pytest.mark.parametrize(
    "dependency",
    [
        pytest.param(by_function, id="function"),
        pytest.param(by_coroutine, id="async function"),
        pytest.param(by_generator, id="generator"),
        pytest.param(by_async_generator, id="async generator"),
        pytest.param(ByClass, id="class"),
    ],
)
def test_a_dependency_of_the_framework_may_be_injected(dependency: Any) -> None:
    """It shares the session of the request with the endpoint."""
    desk = Desk()
    api = server(shop(desk))

    @api.get("/")
    @inject
    async def endpoint(number: Any = Depends(dependency), session: Inject[Session] = INJECTED) -> bool:
        return bool(number == session.use())

    with TestClient(api) as client:
        answers = [client.get("/").json() for _ in range(2)]

    assert answers == [True, True]
    assert desk.ends == ["commit", "commit"]


@pytest.mark.parametrize(
    ("error", "status", "end"),
    [
        pytest.param(HTTPException(403), 403, "rollback: HTTPException", id="a refusal"),
        pytest.param(Broken(), 500, "rollback: Broken", id="a fault"),
    ],
)
@pytest.mark.parametrize("is_async", [pytest.param(False, id="sync"), pytest.param(True, id="async")])
def test_what_an_endpoint_raises_reaches_the_session(error: Exception, status: int, end: str, is_async: bool) -> None:
    """FastAPI makes an answer of it."""
    desk = Desk()
    api = server(shop(desk))

    @inject
    def fail(session: Inject[Session] = INJECTED) -> None:
        raise error

    @inject
    async def fail_later(session: Inject[Session] = INJECTED) -> None:
        raise error

    api.get("/")(fail_later if is_async else fail)

    with TestClient(api, raise_server_exceptions=False) as client:
        assert client.get("/").status_code == status

    assert desk.ends == [end]


def test_a_router_that_is_included_is_served_alike() -> None:
    """Its endpoints know no application when they are written."""
    router = fastapi.APIRouter(prefix="/v1")

    @router.get("/word")
    @inject
    async def word(greeting: Inject[Greeting] = INJECTED) -> str:
        return greeting.word

    said = []
    for text in ("moin", "servus"):
        api = server(shop(Desk(), word=text))
        api.include_router(router)
        with TestClient(api) as client:
            said.append(client.get("/v1/word").json())

    assert said == ["moin", "servus"]
