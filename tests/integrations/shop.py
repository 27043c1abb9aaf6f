"""The application behind the frameworks: a greeting that lives with it, and a session for each request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from oneiric import Application, Inputs


class Broken(Exception):
    """What a failing handler raises."""


class Greeting:
    """A word to say."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.is_open = True


class Session:
    """A session of one request; it remembers how it ended."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = ""

    def use(self) -> int:
        """Return its number. Raises AssertionError if it was closed."""
        assert self.ended == "", f"session {self.number} is used after it ended with {self.ended}"
        return self.number


class Desk:
    """Hands out sessions, and remembers them all."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    async def session(self) -> AsyncIterator[Session]:
        """Begin a session; it is committed at the end, and rolled back where the request failed."""
        session = Session(len(self.sessions))
        self.sessions.append(session)
        try:
            yield session
        except BaseException as error:
            session.ended = f"rollback: {type(error).__name__}"
            raise
        session.ended = "commit"

    @property
    def ends(self) -> list[str]:
        """How each session ended; empty for one that is open."""
        return [session.ended for session in self.sessions]


def shop(desk: Desk, *, name: str = "shop", word: str = "hello") -> Application:
    """Return an application with the slots `greeting` and `session`; it reads nothing from outside."""
    app = Application(name, inputs=Inputs(environ={}, folder=Path("nowhere")))

    @app.provide("greeting")
    async def greeting() -> AsyncIterator[Greeting]:
        made = Greeting(word)
        yield made
        made.is_open = False

    app.provide("session", scope="request")(desk.session)
    return app
