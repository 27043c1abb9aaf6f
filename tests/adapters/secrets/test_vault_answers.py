"""What the Vault adapter sends, and what it makes of every answer, against a peer that answers as it is told."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pydantic import SecretBytes

from oneiric.adapters.secrets.vault import VaultSecrets
from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
)
from tests.support.golden import check_golden

TOKEN = "canary-token"
MOUNT = '{"data": {"path": "MOUNT/", "type": "kv", "options": {"version": "2"}}}'
SECRET = '{"data": {"data": {"value": "canary-value"}, "metadata": {"version": 2, "destroyed": false}}}'
WRITTEN = '{"data": {"version": 3}}'
GONE = '{"data": {"data": null, "metadata": {"version": 2, "destroyed": DESTROYED, "deletion_time": "2026-01-01"}}}'
ABSENT = '{"errors": []}'
STALL = b""
_SHOWN_HEADERS = ("content-type", "x-vault-namespace", "x-vault-request", "x-vault-token")


def answer(status: int, body: str, *, length: int | None = None, **headers: str) -> bytes:
    """Return the bytes of an answer; `length` may lie about the body."""
    fields = {"content-length": str(len(body) if length is None else length), "connection": "close", **headers}
    head = [f"HTTP/1.1 {status} Answer", *(f"{name.replace('_', '-')}: {text}" for name, text in fields.items())]
    return "\r\n".join([*head, "", body]).encode()


@dataclass
class Peer:
    """Answers the question about the mount with `mounted`, anything else with `answers`, the last one for ever."""

    answers: list[bytes]
    mounted: bytes
    url: str = ""
    asked: list[dict[str, object]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        shown = {name: headers[name] for name in _SHOWN_HEADERS if name in headers}
        self.asked.append({"method": method, "path": path, "headers": shown, "body": json.loads(body or "null")})
        if "/sys/internal/" in path:
            reply = self.mounted
        else:
            reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if reply == STALL:
            await reader.read(1)  # ends when the client gives up
        writer.write(reply)
        writer.close()


@asynccontextmanager
async def asking(
    *answers: bytes, mount: str = "secret", mounted: bytes = b"", **changed: object
) -> AsyncIterator[tuple[VaultSecrets, Peer]]:
    """An open adapter, and the peer that it asks; nothing is tried twice unless the settings say so."""
    peer = Peer(list(answers), mounted or answer(200, MOUNT.replace("MOUNT", mount)))
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = {"url": peer.url, "token": TOKEN, "mount": mount, "retry": {"attempts": 1}, **changed}
    adapter = VaultSecrets(VaultSecrets.Settings.model_validate(given), environ={})
    try:
        await adapter.open()
        yield adapter, peer
    finally:
        await adapter.close()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        pytest.param(answer(400, '{"errors": ["missing client token"]}'), Denied, "saw no token", id="400 no token"),
        pytest.param(answer(400, '{"errors": ["permission denied"]}'), Denied, "may not do this", id="400 denied"),
        pytest.param(
            answer(
                400, '{"errors": ["Upgrading from non-versioned to versioned data. This backend will be unavailable"]}'
            ),
            Unavailable,
            "is being prepared",
            id="400 a new mount",
        ),
        pytest.param(answer(400, '{"errors": ["canary-said"]}'), InvalidInput, "status 400", id="400 else"),
        pytest.param(answer(401, '{"errors": ["canary-said"]}'), Denied, "a policy with read for", id="401"),
        pytest.param(answer(403, '{"errors": ["permission denied"]}'), Denied, "a policy with read for", id="403"),
        pytest.param(answer(403, "<html>"), Denied, "a policy with read for", id="403 from something before it"),
        pytest.param(answer(404, ABSENT), NotFound, "there is no secret/data/db", id="404 absent"),
        pytest.param(
            answer(404, GONE.replace("DESTROYED", "false")), NotFound, "version 2 was deleted", id="404 deleted"
        ),
        pytest.param(
            answer(404, GONE.replace("DESTROYED", "true")), NotFound, "version 2 was destroyed", id="404 destroyed"
        ),
        pytest.param(answer(404, '{"errors": ["no handler for route"]}'), Unavailable, "no such mount", id="404 mount"),
        pytest.param(answer(404, "<html>"), BadReply, "not from Vault", id="404 from something before it"),
        pytest.param(answer(404, "{}"), BadReply, "not from Vault", id="404 from something that speaks JSON"),
        pytest.param(
            answer(307, "", location="http://127.0.0.1:1/"), Unavailable, "sends us elsewhere", id="307 standby"
        ),
        pytest.param(answer(409, ABSENT), Conflict, "status 409", id="409"),
        pytest.param(answer(412, ABSENT), Unavailable, "behind the active one", id="412"),
        pytest.param(answer(500, '{"errors": ["canary-said"]}'), Unavailable, "status 500", id="500"),
        pytest.param(answer(502, "<html>"), Unavailable, "status 502", id="502"),
        pytest.param(answer(503, '{"errors": ["Vault is sealed"]}'), Unavailable, "fix: unseal it", id="503 sealed"),
        pytest.param(answer(503, "<html>"), Unavailable, "status 503", id="503 from something before it"),
        pytest.param(answer(200, "<html>"), BadReply, "of another shape", id="200 no JSON"),
        pytest.param(answer(200, "[]"), BadReply, "of another shape", id="200 no map"),
        pytest.param(
            answer(200, '{"data": {"value": "canary-value"}}'), BadReply, "of another shape", id="200 version 1"
        ),
        pytest.param(answer(200, SECRET.replace("2", '"2"')), BadReply, "of another shape", id="200 no number"),
        pytest.param(
            answer(200, SECRET.replace('"canary-value"', "1e999")),
            BadReply,
            "as JSON text",
            id="200 more than a number",
        ),
        pytest.param(
            answer(200, SECRET.replace("canary-value", "\\ud800")), BadReply, "as JSON text", id="200 half a character"
        ),
        pytest.param(answer(200, SECRET, length=500), BadReply, "broke the protocol", id="200 cut"),
        pytest.param(b"canary-said\r\n\r\n", BadReply, "broke the protocol", id="no HTTP"),
    ],
)
@pytest.mark.asyncio
async def test_each_answer_is_one_kind_of_error(reply: bytes, kind: type[AdapterError], said: str) -> None:
    """Only what Vault itself says of a name is not-found; neither token, value nor the server's words are repeated."""
    async with asking(reply) as (adapter, _):
        with pytest.raises(AdapterError, match=said) as caught:
            await adapter.get("db")

    assert type(caught.value) is kind
    assert (caught.value.category, caught.value.name, caught.value.operation) == ("secrets", "vault", "get")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.asyncio
async def test_a_server_that_asks_for_a_pause_is_rate_limited() -> None:
    """The seconds that it asks for come along."""
    async with asking(answer(429, '{"errors": ["rate limit quota exceeded"]}', retry_after="7")) as (adapter, _):
        with pytest.raises(RateLimited) as caught:
            await adapter.get("db")

    assert caught.value.retry_after_s == 7.0


@pytest.mark.asyncio
async def test_a_server_that_stalls_times_out() -> None:
    """Every method ends within its limit, and health within its own; after that the adapter works."""
    answers = [STALL] * 4 + [answer(200, SECRET)]

    async with asking(*answers, timeout_s=0.2, health_timeout_s=0.2) as (adapter, _):
        for call in adapter.get("db"), adapter.version("db"), adapter.put("db", SecretBytes(b"v")):
            with pytest.raises(TimedOut, match=r"no answer within 0.2 s"):
                await call
        health = await adapter.health()
        assert (await adapter.get("db")).version == "2"

    assert (health.ok, health.detail) == (False, "no answer within 0.2 s")


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(answer(404, ABSENT), None, id="absent"),
        pytest.param(answer(404, '{"errors": ["no handler for route"]}'), Unavailable, id="a mount that is gone"),
        pytest.param(answer(403, ABSENT), Denied, id="denied"),
        pytest.param(answer(503, ABSENT), Unavailable, id="down"),
        pytest.param(answer(200, '{"data": {"current_version": 0, "versions": {}}}'), None, id="never written"),
        pytest.param(answer(200, '{"data": {"current_version": 2, "versions": {}}}'), BadReply, id="facts are missing"),
        pytest.param(answer(200, '{"data": {"current_version": "2", "versions": {}}}'), BadReply, id="no number"),
        pytest.param(answer(200, '{"data": {}}'), BadReply, id="no version"),
        *(
            pytest.param(
                answer(200, f'{{"data": {{"current_version": 2, "versions": {{"2": {facts}}}}}}}'), told, id=case
            )
            for case, facts, told in [
                ("there", '{"destroyed": false, "deletion_time": ""}', "2"),
                ("destroyed", '{"destroyed": true, "deletion_time": ""}', None),
                ("deleted", '{"destroyed": false, "deletion_time": "2020-01-01T00:00:00.123456789Z"}', None),
                ("to be deleted", '{"destroyed": false, "deletion_time": "2999-01-01T00:00:00Z"}', "2"),
                ("deleted at no time", '{"destroyed": false, "deletion_time": "canary"}', BadReply),
                ("deleted in no zone", '{"destroyed": false, "deletion_time": "2020-01-01T00:00:00"}', BadReply),
            ]
        ),
    ],
)
@pytest.mark.asyncio
async def test_the_version_is_told_or_none_or_an_error(reply: bytes, told: str | type[AdapterError] | None) -> None:
    """None is for a secret that is not there, or not any more; never for one that nobody could ask about."""
    async with asking(reply) as (adapter, _):
        if not isinstance(told, type):
            assert await adapter.version("db") == told
            return
        with pytest.raises(told) as caught:
            await adapter.version("db")

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        pytest.param(answer(200, '{"initialized": true, "sealed": false}'), "unsealed", id="well"),
        pytest.param(answer(503, '{"initialized": true, "sealed": true}'), "sealed", id="sealed"),
        pytest.param(answer(501, '{"initialized": false, "sealed": true}'), "not initialized", id="new"),
        pytest.param(answer(472, '{"initialized": true, "sealed": false}'), "sys/health answered 472", id="a spare"),
        pytest.param(answer(503, "<html>"), "sys/health answered 503", id="something before it"),
        pytest.param(answer(200, "<html>"), "sys/health answered 200", id="something else"),
    ],
)
@pytest.mark.asyncio
async def test_only_an_unsealed_server_is_well(reply: bytes, detail: str) -> None:
    """The state is told in a word; an answer that is not Vault's is never well."""
    async with asking(reply) as (adapter, _):
        health = await adapter.health()

    assert (health.ok, health.detail) == (detail == "unsealed", detail)


@pytest.mark.asyncio
async def test_reading_is_tried_again_and_writing_is_not() -> None:
    """A read after a failure is the same read; a write that left may have been done."""
    twice = {"attempts": 2, "wait_s": 0}

    async with asking(answer(503, "<html>"), answer(200, SECRET), retry=twice) as (adapter, reader):
        assert (await adapter.get("db")).version == "2"
    async with asking(answer(503, "<html>"), answer(200, WRITTEN), retry=twice) as (adapter, writer):
        with pytest.raises(Unavailable):
            await adapter.put("db", SecretBytes(b"v"))

    assert [request["method"] for request in reader.asked] == ["GET", "GET", "GET"]
    assert [request["method"] for request in writer.asked] == ["GET", "POST"]


@pytest.mark.asyncio
async def test_another_version_than_the_pinned_one_is_a_bad_reply() -> None:
    """What was asked for is what is believed."""
    async with asking(answer(200, SECRET)) as (adapter, _):
        with pytest.raises(BadReply):
            await adapter.get("db", version="1")


@pytest.mark.parametrize(
    ("mounted", "kind"),
    [
        pytest.param(answer(404, ABSENT), InvalidInput, id="beside the API of Vault"),
        pytest.param(answer(404, "<html>"), BadReply, id="a page that is not there"),
        pytest.param(answer(200, "<html>"), InvalidInput, id="a page for everything"),
        pytest.param(answer(200, MOUNT), InvalidInput, id="the mount around it"),
        pytest.param(answer(200, MOUNT.replace('"2"', '"1"')), InvalidInput, id="version 1"),
        pytest.param(answer(200, MOUNT.replace('{"version": "2"}', "null")), InvalidInput, id="no version"),
        pytest.param(answer(403, ABSENT), Denied, id="a token that is no good"),
        pytest.param(answer(503, ABSENT), Unavailable, id="a server that is down"),
    ],
)
@pytest.mark.asyncio
async def test_open_believes_only_a_mount_of_version_2(mounted: bytes, kind: type[AdapterError]) -> None:
    """Where every name would be absent, nothing is opened; not even absent is said, which would let others answer."""
    with pytest.raises(AdapterError) as caught:
        async with asking(answer(404, ABSENT), mounted=mounted):
            pass

    assert type(caught.value) is kind


@pytest.mark.asyncio
async def test_the_requests_are_the_ones_that_vault_documents() -> None:
    """Method, path, headers and body of each call; the token goes along everywhere but to health."""
    stored = answer(200, SECRET)
    versions = answer(200, '{"data": {"current_version": 2, "versions": {"2": {"destroyed": true}}}}')
    answers = [stored, stored, versions, answer(200, WRITTEN), answer(200, '{"sealed": false}')]

    async with asking(*answers, mount="teams/kv", prefix="orders", namespace="eu") as (adapter, peer):
        await adapter.get("db")
        await adapter.get("db", version="2")
        await adapter.version("db")
        await adapter.put("db", SecretBytes("pässwörd".encode()))
        await adapter.health()

    calls = ("open", "get", "get-version", "version", "put", "health")
    assert len(peer.asked) == len(calls)
    for call, request in zip(calls, peer.asked, strict=True):
        text = json.dumps(request, indent=2, ensure_ascii=False).replace(TOKEN, "the token")
        check_golden(f"http/vault/{call}.json", text)
