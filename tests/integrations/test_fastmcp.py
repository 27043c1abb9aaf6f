"""FastMCP: tools, resources and prompts, each call a scope, through a client in memory and over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.tools import ToolResult

from oneiric import INJECTED, Application, Inject, inject
from oneiric.integrations.fastmcp import InjectionMiddleware, lifespan
from tests.integrations.shop import Broken, Desk, Greeting, Session, shop


def server(app: Application) -> FastMCP:
    """Return a server of an application that offers nothing yet."""
    return FastMCP(app.name, lifespan=lifespan(app), middleware=[InjectionMiddleware(app)])


def register_words(mcp: FastMCP) -> None:
    """Offer a synchronous and an asynchronous one of each kind, defined in this function."""

    @mcp.tool
    @inject
    def tool(
        name: str, ctx: Context, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
    ) -> str:
        """Greet somebody."""
        return f"{greeting.word} {name} {session.use()} {ctx.fastmcp.name}"

    @mcp.tool
    @inject
    async def tool_later(
        name: str, ctx: Context, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
    ) -> str:
        """Greet somebody."""
        return f"{greeting.word} {name} {session.use()} {ctx.fastmcp.name}"

    @mcp.resource("word://{name}")
    @inject
    def resource(name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> str:
        """Greet somebody."""
        return f"{greeting.word} {name} {session.use()}"

    @mcp.resource("later://{name}")
    @inject
    async def resource_later(
        name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
    ) -> str:
        """Greet somebody."""
        return f"{greeting.word} {name} {session.use()}"

    @mcp.prompt
    @inject
    def prompt(name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> str:
        """Greet somebody."""
        return f"{greeting.word} {name} {session.use()}"

    @mcp.prompt
    @inject
    async def prompt_later(
        name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
    ) -> str:
        """Greet somebody."""
        return f"{greeting.word} {name} {session.use()}"


async def ask(client: Client[Any], kind: str) -> str:
    """Call a tool, read a resource, or render a prompt."""
    if kind.startswith("tool"):
        return str((await client.call_tool(kind, {"name": "Ada"})).data)
    if kind.startswith("resource"):
        uri = "later://Ada" if kind.endswith("later") else "word://Ada"
        return str((await client.read_resource(uri))[0].text)  # type: ignore[union-attr]  # a text
    return str((await client.get_prompt(kind, {"name": "Ada"})).messages[0].content.text)  # type: ignore[union-attr]


KINDS = ["tool", "tool_later", "resource", "resource_later", "prompt", "prompt_later"]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in KINDS])
@pytest.mark.asyncio
async def test_each_call_is_a_scope(kind: str) -> None:
    """Registered inside of a function, and with the framework's own context beside what is injected."""
    desk = Desk()
    mcp = server(shop(desk))
    register_words(mcp)

    async with Client(mcp) as client:
        answers = [await ask(client, kind) for _ in range(2)]

    assert [answer.removesuffix(" shop") for answer in answers] == ["hello Ada 0", "hello Ada 1"]
    assert desk.ends == ["commit", "commit"]


@pytest.mark.asyncio
async def test_what_is_described_is_the_rest() -> None:
    """Schema and description are those of the function without what is injected."""
    mcp = server(shop(Desk()))
    register_words(mcp)

    async with Client(mcp) as client:
        tools = await client.list_tools()
        prompts = await client.list_prompts()

    assert {tool.name: list(tool.input_schema["properties"]) for tool in tools} == {
        "tool": ["name"],
        "tool_later": ["name"],
    }
    assert {tool.description for tool in tools} == {"Greet somebody."}
    assert [[argument.name for argument in prompt.arguments or []] for prompt in prompts] == [["name"], ["name"]]


@pytest.mark.asyncio
async def test_a_tool_may_be_registered_while_serving() -> None:
    """And an override that is made when the client is connected is used."""
    app = shop(Desk())
    mcp = server(app)

    async with Client(mcp) as client:
        register_words(mcp)
        said = [await ask(client, "tool")]
        with app.override({"greeting": Greeting("moin")}):
            said.append(await ask(client, "tool"))
        said.append(await ask(client, "tool"))

    assert said == ["hello Ada 0 shop", "moin Ada 1 shop", "hello Ada 2 shop"]


@inject
async def fail(session: Inject[Session] = INJECTED) -> None:
    raise Broken


@inject
async def refuse(session: Inject[Session] = INJECTED) -> ToolResult:
    try:
        await fail()
    except Broken:
        return ToolResult("it does not work", is_error=False)
    raise AssertionError


async def deny() -> ToolResult:
    """Tell the caller that it failed, without an exception that leaves the tool."""
    try:
        await fail()
    except Broken as error:
        return ToolResult(str(error), is_error=True)
    raise AssertionError


@pytest.mark.parametrize(
    ("tool", "end", "is_error"),
    [
        pytest.param(fail, "rollback: ToolError", True, id="an exception"),
        pytest.param(refuse, "commit", False, id="an exception that is dealt with"),
        pytest.param(deny, "rollback: Broken", True, id="an answer that is an error"),
    ],
)
@pytest.mark.asyncio
async def test_a_call_that_fails_rolls_its_session_back(tool: Any, end: str, is_error: bool) -> None:
    """An exception that the tool deals with does not."""
    desk = Desk()
    mcp = server(shop(desk))
    mcp.tool(tool, name="tool")

    async with Client(mcp) as client:
        result = await client.call_tool("tool", raise_on_error=False)

    assert result.is_error is is_error
    assert desk.ends == [end]


@pytest.mark.asyncio
async def test_concurrent_calls_have_sessions_of_their_own() -> None:
    """20 of one client, half of them slow; each open while it is in use, all closed."""
    desk = Desk()
    mcp = server(shop(desk))
    goes_on = asyncio.Event()

    @mcp.tool
    @inject
    async def work(is_slow: bool, session: Inject[Session] = INJECTED) -> int:
        number = session.use()
        if is_slow:
            await goes_on.wait()
        return session.use() if number == session.number else -1

    async with Client(mcp) as client:
        slow = [asyncio.create_task(client.call_tool("work", {"is_slow": True})) for _ in range(10)]
        fast = await asyncio.gather(*(client.call_tool("work", {"is_slow": False}) for _ in range(10)))
        goes_on.set()
        results = [*await asyncio.gather(*slow), *fast]

    assert sorted(result.data for result in results) == list(range(20))
    assert desk.ends == ["commit"] * 20


@pytest.mark.asyncio
async def test_a_tool_that_calls_another_one_shares_its_session() -> None:
    """It is one call of the client; so is one that a mounted server of the same application answers."""
    desk = Desk()
    app = shop(desk)
    mcp, mounted = server(app), FastMCP("mounted", middleware=[InjectionMiddleware(app)])

    @mounted.tool
    @inject
    async def inner(session: Inject[Session] = INJECTED) -> int:
        return session.use()

    @mcp.tool
    @inject
    async def outer(ctx: Context, session: Inject[Session] = INJECTED) -> int:
        await ctx.fastmcp.call_tool("inner", {})
        return session.use()

    mcp.mount(mounted)

    async with Client(mcp) as client:
        numbers = [(await client.call_tool(name)).data for name in ("outer", "inner")]

    assert numbers == [0, 1]
    assert desk.ends == ["commit", "commit"]


@pytest.mark.asyncio
async def test_two_servers_stay_apart() -> None:
    """In one process, with two applications."""
    servers = [server(shop(Desk(), word=word)) for word in ("moin", "servus")]
    for mcp in servers:
        register_words(mcp)

    async with Client(servers[0]) as north, Client(servers[1]) as south:
        said = await asyncio.gather(*(ask(client, "tool") for client in (north, south, north)))

    assert [text.split()[0] for text in said] == ["moin", "servus", "moin"]


@pytest.mark.asyncio
async def test_what_a_failing_tool_says_reaches_the_client() -> None:
    """The error is the framework's own."""
    mcp = server(shop(Desk()))
    mcp.tool(fail)

    async with Client(mcp) as client:
        with pytest.raises(ToolError):
            await client.call_tool("fail")
