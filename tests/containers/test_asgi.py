"""The request scope of ASGI: whose calls they are, when it ends, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from oneiric import INJECTED, Container, Inject, inject, using
from oneiric.containers.asgi import AsgiApplication, InjectionMiddleware, Message, Receive, Send
from tests.integrations.shop import Broken, Desk, Greeting, Session

HTTP = {"type": "http"}
WEBSOCKET = {"type": "websocket"}


def container(desk: Desk, word: str = "hello") -> Container:
    """Return a container with a session for each request, and a greeting."""
    app = Container("shop")
    app.provide("session", scope="request")(desk.session)
    app.provide("greeting")(Greeting)
    app.override({"greeting": Greeting(word)})
    return app


async def serve(asgi: AsgiApplication, scope: Message, receive: Receive | None = None) -> list[Message]:
    """Serve one request and return what was sent."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await asgi(dict(scope), receive or nothing, send)
    return sent


@inject
async def use(error: type[BaseException] | None = None, session: Inject[Session] = INJECTED) -> int:
    """Use the session, and fail where that is asked for."""
    number = session.use()
    if error is not None:
        raise error
    return number


@inject
async def word(greeting: Inject[Greeting] = INJECTED) -> str:
    """Return the word of the greeting."""
    return greeting.word


def answering(*messages: Message, error: type[BaseException] | None = None) -> AsgiApplication:
    """Return an application that catches what an injected call raises, and then sends these messages."""

    async def asgi(scope: Message, receive: Receive, send: Send) -> None:
        with suppress(Broken):
            await use(error)
        for message in messages:
            await send(message)

    return asgi


def status(number: int, prefix: str = "") -> Message:
    return {"type": f"{prefix}http.response.start", "status": number}


def closure(**fields: int) -> Message:
    return {"type": "websocket.close", **fields}


@pytest.mark.parametrize(
    ("scope", "answer", "end"),
    [
        pytest.param(HTTP, status(500), "rollback: Broken", id="a server error"),
        pytest.param(HTTP, status(404), "rollback: Broken", id="a client error"),
        pytest.param(HTTP, status(303), "commit", id="a redirect"),
        pytest.param(HTTP, status(200), "commit", id="an answer"),
        pytest.param(WEBSOCKET, status(403, "websocket."), "rollback: Broken", id="a handshake that is denied"),
        pytest.param(WEBSOCKET, closure(code=1011), "rollback: Broken", id="a connection that broke"),
        pytest.param(WEBSOCKET, closure(code=1000), "commit", id="a connection that ended"),
        pytest.param(WEBSOCKET, closure(code=1001), "commit", id="a client that leaves"),
        pytest.param(WEBSOCKET, closure(), "commit", id="a connection that ended without a code"),
    ],
)
@pytest.mark.asyncio
async def test_what_a_framework_answers_decides_about_an_exception_it_caught(
    scope: Message, answer: Message, end: str
) -> None:
    """A refusal hands the exception to the resources; an answer means that somebody dealt with it."""
    desk = Desk()

    sent = await serve(InjectionMiddleware(answering(answer, error=Broken), application=container(desk)), scope)

    assert sent == [answer]
    assert desk.ends == [end]


@pytest.mark.asyncio
async def test_a_refusal_without_an_exception_closes_as_usual() -> None:
    """Nothing went wrong: 404 is an answer like others."""
    desk = Desk()

    await serve(InjectionMiddleware(answering(status(404)), application=container(desk)), HTTP)

    assert desk.ends == ["commit"]


@pytest.mark.asyncio
async def test_an_exception_that_arrives_rolls_back_and_goes_on() -> None:
    """The server hears of it too."""
    desk = Desk()

    async def failing(scope: Message, receive: Receive, send: Send) -> None:
        await use()
        raise Broken

    with pytest.raises(Broken):
        await serve(InjectionMiddleware(failing, application=container(desk)), HTTP)

    assert desk.ends == ["rollback: Broken"]


@pytest.mark.asyncio
async def test_all_calls_of_one_request_share_one_session() -> None:
    """Injected calls one after another, one inside another, in child tasks and in threads."""
    desk, seen = Desk(), list[int]()

    @inject
    async def outer(session: Inject[Session] = INJECTED) -> int:
        inner = await use()
        assert session.use() == inner
        return inner

    @inject
    def in_thread(session: Inject[Session] = INJECTED) -> int:
        return session.use()

    async def asgi(scope: Message, receive: Receive, send: Send) -> None:
        seen.extend(
            [await use(), await outer(), *await asyncio.gather(use(), use()), await asyncio.to_thread(in_thread)]
        )

    await serve(InjectionMiddleware(asgi, application=container(desk)), HTTP)

    assert seen == [0, 0, 0, 0, 0]
    assert desk.ends == ["commit"]


@pytest.mark.asyncio
async def test_the_scope_ends_after_the_last_chunk() -> None:
    """A body that is made while it is sent still has its session."""
    desk = Desk()

    async def streaming(scope: Message, receive: Receive, send: Send) -> None:
        await use()
        await send(status(200))
        for _ in range(3):
            await send({"type": "http.response.body", "body": str(await use()).encode(), "more_body": True})

    sent = await serve(InjectionMiddleware(streaming, application=container(desk)), HTTP)

    assert [message.get("body") for message in sent] == [None, b"0", b"0", b"0"]
    assert desk.ends == ["commit"]


@pytest.mark.asyncio
async def test_a_thousand_requests_have_a_thousand_sessions_though_half_are_cancelled() -> None:
    """None is closed while it is in use, and all are closed afterwards."""
    desk = Desk()
    inside, all_inside, goes_on = list[int](), asyncio.Event(), asyncio.Event()

    @inject
    async def handle(session: Inject[Session] = INJECTED) -> None:
        inside.append(session.use())
        if len(inside) == 1_000:
            all_inside.set()
        await goes_on.wait()
        assert await use() == session.use()

    async def asgi(scope: Message, receive: Receive, send: Send) -> None:
        await handle()
        await send(status(200))

    middleware = InjectionMiddleware(asgi, application=container(desk))
    requests = [asyncio.create_task(serve(middleware, HTTP)) for _ in range(1_000)]
    await all_inside.wait()
    for request in requests[::2]:
        request.cancel()
    goes_on.set()
    outcomes = await asyncio.gather(*requests, return_exceptions=True)

    assert len(set(inside)) == 1_000
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, list] * 500
    assert sorted(desk.ends) == ["commit"] * 500 + ["rollback: CancelledError"] * 500


@pytest.mark.asyncio
async def test_the_same_middleware_twice_opens_one_scope() -> None:
    """Where a mounted application brings it along as well, a request is still one request."""
    desk = Desk()
    app = container(desk)

    async def outer(scope: Message, receive: Receive, send: Send) -> None:
        await use()
        await InjectionMiddleware(answering(), application=app)(scope, receive, send)
        assert await use() == 0

    await serve(InjectionMiddleware(outer, application=app), HTTP)

    assert desk.ends == ["commit"]


@pytest.mark.asyncio
async def test_a_request_that_a_handler_makes_is_a_request_of_its_own() -> None:
    """Although it is served in the context of the handler."""
    desk = Desk()
    app = container(desk)
    other = InjectionMiddleware(answering(status(500), error=Broken), application=app)

    async def calling(scope: Message, receive: Receive, send: Send) -> None:
        await use()
        await serve(other, HTTP)
        assert await use() == 0

    await serve(InjectionMiddleware(calling, application=app), HTTP)

    assert desk.ends == ["commit", "rollback: Broken"]


async def saying(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with the word of the greeting."""
    await send({"type": "said", "word": await word()})


def words(sent: Iterable[Message]) -> list[Any]:
    return [message["word"] for message in sent]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in ("http", "websocket", "lifespan")])
@pytest.mark.asyncio
async def test_calls_belong_to_the_application_of_the_middleware(kind: str) -> None:
    """Two in one process need no default."""
    north, south = container(Desk(), "moin"), container(Desk(), "servus")

    said = [
        words(await serve(InjectionMiddleware(saying, application=app), {"type": kind}))
        for app in (north, south, north)
    ]

    assert said == [["moin"], ["servus"], ["moin"]]


def mounted(north: Container, south: Container) -> AsgiApplication:
    """Return a server of one application, in which another one is mounted."""
    return InjectionMiddleware(InjectionMiddleware(saying, application=south), application=north)


def called(north: Container, south: Container) -> AsgiApplication:
    """Return a server of one application that asks the server of another one."""

    async def calling(scope: Message, receive: Receive, send: Send) -> None:
        for message in await serve(InjectionMiddleware(saying, application=south), HTTP):
            await send(message)

    return InjectionMiddleware(calling, application=north)


@pytest.mark.parametrize("make", [pytest.param(mounted, id="mounted"), pytest.param(called, id="called")])
@pytest.mark.asyncio
async def test_the_middleware_that_is_further_inside_decides(
    make: Callable[[Container, Container], AsgiApplication],
) -> None:
    """It stands nearer to the call."""
    asgi = make(container(Desk(), "moin"), container(Desk(), "servus"))

    assert words(await serve(asgi, HTTP)) == ["servus"]


@pytest.mark.asyncio
async def test_using_decides_above_every_middleware() -> None:
    """A person said so; the scope of the request belongs to that application too."""
    desks = [Desk(), Desk()]
    north, south = container(desks[0], "moin"), container(desks[1], "servus")

    async def asgi(scope: Message, receive: Receive, send: Send) -> None:
        assert [await use(), await use()] == [0, 0]
        await saying(scope, receive, send)

    with using(south):
        sent = await serve(InjectionMiddleware(asgi, application=north), HTTP)

    assert words(sent) == ["servus"]
    assert [desk.ends for desk in desks] == [[], ["commit"]]


@pytest.mark.asyncio
async def test_a_local_override_changes_its_own_application_only() -> None:
    """The server of the other one goes on as before."""
    north, south = container(Desk(), "moin"), container(Desk(), "servus")

    with north.local_override({"greeting": Greeting("hi")}):
        said = [words(await serve(InjectionMiddleware(saying, application=app), HTTP)) for app in (north, south)]

    assert said == [["hi"], ["servus"]]
