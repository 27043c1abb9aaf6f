"""What every store of secrets promises."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import SecretBytes

from oneiric.adapters.secrets.common import MAX_NAME_CHARS, Secret, Secrets
from oneiric.core.errors import InvalidInput, NotFound, NotOpen, Unsupported
from oneiric.testing.contracts.adapter import AdapterContract
from oneiric.testing.contracts.backend import Backend

NAME = "cache-redis-password"
VALUE = b"canary-value-5b1e"


class SecretsContract(AdapterContract):
    """
    Behaviour of category `secrets`; a test class implements `place`, which puts a secret where the store finds it.

    Capability: `write`.
    """

    category: ClassVar[str] = "secrets"

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        """Put a secret into the store, by another way than the adapter."""
        raise NotImplementedError("the test class of the adapter implements place()")

    async def use(self, adapter: Any) -> None:  # the class under test
        """Read the secret that every test finds in the store."""
        await adapter.get(NAME)

    @pytest.fixture(autouse=True)
    def placed(self, backend: Backend) -> None:
        """Every test finds one secret in the store."""
        self.place(backend, NAME, VALUE)

    def test_it_has_the_methods_of_the_category(self, made: Any) -> None:
        """The adapter has get, version and put."""
        assert isinstance(made, Secrets)

    @pytest.mark.asyncio
    async def test_a_secret_is_read(self, opened: Any) -> None:
        """The answer holds the name, the value as bytes, and a version."""
        secret = await opened.get(NAME)

        assert isinstance(secret, Secret)
        assert secret.name == NAME
        assert secret.value.get_secret_value() == VALUE
        assert secret.version

    @pytest.mark.asyncio
    async def test_a_secret_hides_itself(self, opened: Any) -> None:
        """Neither the text nor the repr of a secret holds its value."""
        secret = await opened.get(NAME)

        assert VALUE.decode() not in f"{secret} {secret!r} {secret.version}"

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"x", id="one byte"),
            pytest.param("pässwörd".encode(), id="UTF-8"),
            pytest.param(b"two words ", id="a blank at the end"),
            pytest.param(b'{"user": "a", "password": "b"}', id="JSON"),
        ],
    )
    async def test_a_value_comes_back_byte_for_byte(self, opened: Any, backend: Backend, value: bytes) -> None:
        """What was put into the store is what is read."""
        self.place(backend, "bytes", value)

        assert (await opened.get("bytes")).value.get_secret_value() == value

    @pytest.mark.asyncio
    async def test_an_absent_secret_is_not_found(self, opened: Any) -> None:
        """Absent is not-found, and version says None."""
        with pytest.raises(NotFound) as caught:
            await opened.get("absent")

        assert caught.value.category == "secrets"
        assert await opened.version("absent") is None

    @pytest.mark.asyncio
    async def test_the_version_is_told_without_the_value(self, opened: Any) -> None:
        """version names the version that get returns, and get takes it."""
        version = await opened.version(NAME)

        assert version == (await opened.get(NAME)).version
        assert (await opened.get(NAME, version=version)).value.get_secret_value() == VALUE

    @pytest.mark.asyncio
    async def test_another_version_is_not_found(self, opened: Any) -> None:
        """A version that the store does not have is not-found, even if the secret exists."""
        with pytest.raises(NotFound):
            await opened.get(NAME, version="no-such-version")

    @pytest.mark.asyncio
    async def test_a_changed_secret_is_seen(self, opened: Any, backend: Backend) -> None:
        """The latest version is read at each call; the adapter keeps no copy."""
        await opened.get(NAME)
        self.place(backend, NAME, b"changed")

        assert (await opened.get(NAME)).value.get_secret_value() == b"changed"

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("", id="empty"),
            pytest.param("..", id="the folder above"),
            pytest.param("../passwd", id="a path upwards"),
            pytest.param("a/b", id="a path"),
            pytest.param("a\\b", id="a backslash"),
            pytest.param(".hidden", id="a dot first"),
            pytest.param("a b", id="a blank"),
            pytest.param("a\x00b", id="NUL"),
            pytest.param("a\n", id="a line end"),
            pytest.param("schlüssel", id="a letter beyond ASCII"),
            pytest.param("a" * (MAX_NAME_CHARS + 1), id="too long"),
        ],
    )
    async def test_a_name_that_breaks_the_grammar_is_refused(self, opened: Any, name: str) -> None:
        """It is invalid-input for every method that takes a name, never not-found."""
        with pytest.raises(InvalidInput):
            await opened.get(name)
        with pytest.raises(InvalidInput):
            await opened.version(name)

    @pytest.mark.asyncio
    async def test_no_method_works_before_open(self, made: Any) -> None:
        """Each method of the category is not-open."""
        for call in (made.get(NAME), made.version(NAME), made.put(NAME, SecretBytes(VALUE))):
            with pytest.raises(NotOpen):
                await call

    @pytest.mark.asyncio
    async def test_a_secret_is_written_where_that_can_be(self, opened: Any) -> None:
        """put makes a new latest version and names it; without the capability write it is unsupported."""
        if "write" not in self.capabilities:
            with pytest.raises(Unsupported, match="write"):
                await opened.put("written", SecretBytes(b"new"))
            return

        version = await opened.put("written", SecretBytes(b"new"))

        assert await opened.version("written") == version
        assert (await opened.get("written")).value.get_secret_value() == b"new"

    @pytest.mark.asyncio
    async def test_no_error_shows_the_value(self, opened: Any) -> None:
        """A fault in a call that carries a value does not repeat it."""
        with pytest.raises((InvalidInput, Unsupported)) as caught:
            await opened.put("../x", SecretBytes(VALUE))

        assert VALUE.decode() not in f"{caught.value} {caught.value!r}"
