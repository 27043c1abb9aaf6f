"""What a container knows of its secrets: it asks the store that fills slot `secrets`, and remembers the answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import partial
from typing import Any, NamedTuple

from oneiric.containers.selection import SECRETS, Selection
from oneiric.containers.wiring import Wiring
from oneiric.core.choice import Choice
from oneiric.core.config import evaluate
from oneiric.core.errors import NeedsAsyncOpen, OneiricError, SecretUnavailable
from oneiric.core.models import fields_of, validated
from oneiric.core.secret_cache import TTL_S, SecretCache
from oneiric.core.secrets import LATEST, UNKNOWN, Finding, SecretReader, SecretRules, Wanted
from oneiric.core.values import Value

NO_STORE = "no-store"
NO_FAKE = "in this profile only a store bound in layer explicit is read"


class _Store(NamedTuple):
    """Who fills slot `secrets` in one state of the layers: its name, and why it cannot be asked."""

    label: str
    why_not: str = ""


class KnownSecrets:
    """
    The secrets of one container.

    A store whose answers need no waiting (`is_local`) is asked whether a secret exists whenever somebody wants to know.
    Any other one is asked when the application starts, or when `ask` says so.

    Attributes:
        cache: The findings.
        unasked: Secrets that somebody wanted to know of, and nobody asked for.
    """

    def __init__(self, wiring: Wiring, cache: SecretCache | None = None) -> None:
        self.cache = cache or SecretCache()
        self.unasked: set[str] = set()
        self._wiring = wiring
        self._local: tuple[object, Any] | None = None  # the state of the slot it was made for, and the store

    def rules(self, selection: Selection) -> SecretRules:
        """Return the rules by which secrets count in a state of the layers, and in all that share them."""
        profile = selection.profile
        is_here = self._wiring.stack.is_in_force(selection)
        store = self._store(selection, is_here=is_here)
        section = self._section(selection)
        if is_here:
            self.cache.ttl_s = section.ttl_s if section is not None else TTL_S
        on_error = section.on_error if section is not None else None
        scope: tuple[str, ...] = ()
        if selection.words.has_remote:
            scope = tuple(_read(selection, "remote", "ManifestSettings").secret_scope)
        return SecretRules(
            look=partial(self._look, store, is_here=is_here),
            store=store.label,
            resource=self.resource,
            bindings=section.bindings if section is not None else {},
            outage_falls=on_error == "fallback" or (on_error is None and profile.on_secret_outage == "fall"),
            plaintext=profile.plaintext_secrets,
            scope=scope,
            losses=self.cache.lapse,
        )

    def _section(self, selection: Selection) -> Any:
        """Return section `secrets`, or None where nobody says anything about it; a fault in it is validation's."""
        words = selection.words
        heard = [*words.by_key, *words.parents]
        if not any(key in heard for key in ("secrets.bindings", "secrets.on_error", "secrets.ttl_s")):
            return None
        return _read(selection, "secrets", "SecretsSettings")

    def _store(self, selection: Selection, *, is_here: bool) -> _Store:
        stack = self._wiring.stack
        slot = stack.slots.by_name.get(SECRETS)
        if slot is None:
            return _Store("secrets", NO_STORE)
        voices = slot.bindings[::-1] if is_here else stack.voices_in(slot, selection)
        choice: Choice = selection.choose(slot, voices)
        if choice.error is not None:
            return _Store("secrets", choice.error.code)
        voice = voices[choice.voice] if choice.voice is not None else None
        label = voice.label if voice is not None else choice.offer.name if choice.offer else "secrets"
        if selection.profile.own_store and (voice is None or voice.layer != "explicit"):
            return _Store(label, NO_FAKE)
        return _Store(label)

    def _look(self, store: _Store, name: str, version: str, *, is_here: bool) -> Finding:
        """Return what is known of a secret; a local store is asked whether it is there."""
        if store.why_not:
            return Finding("failed", why=store.why_not)
        found = self.cache.look(name, version)
        if found.state != "unknown":
            return found
        if not is_here and store.label != self._label():
            return UNKNOWN  # another profile has another store
        try:
            reader = self._local_store()
        except OneiricError as error:
            return Finding("failed", why=error.code)
        if reader is None:
            self.unasked.add(name)
            return found
        _step(self.cache.ask(reader, name))
        asked = self.cache.look(name)
        return asked._replace(version=version) if version != LATEST and asked.exists else asked

    def _label(self) -> str:
        return self._store(self._wiring.stack.selection, is_here=True).label

    def resource(self, name: str) -> str:
        """Return how the store calls a secret; its name where no store is there to ask."""
        told = getattr(self._there(), "resource", None)
        return str(told(name)) if callable(told) else name

    @property
    def folder(self) -> str | None:
        """The folder in which the store has a file for each secret; None where no such store is there."""
        folder = getattr(self._there(), "folder", None)
        return folder if isinstance(folder, str) else None

    def _there(self) -> Any:
        """Return the store that is open, or one of its own; None if there is neither."""
        slot = self._wiring.stack.slots.by_name.get(SECRETS)
        if slot is not None and slot.cell.is_built:
            return slot.cell.live
        return self._local[1] if self._local is not None else None

    def _local_store(self) -> Any:
        """
        Return a store that answers without waiting; None where the one in force is no such.

        It is the one that is open, or one of its own: nothing else is opened for a question.
        """
        wiring = self._wiring
        slot = wiring.stack.slots.by_name[SECRETS]
        if slot.cell.is_built:
            return slot.cell.live if getattr(slot.cell.live, "is_local", False) else None
        binding = wiring.stack.winner(slot)
        provider = wiring.provider_of(slot, binding)
        made = getattr(provider, "provides", None) or getattr(provider, "target", None)
        if not getattr(made, "is_local", False):
            return None
        state = (binding, wiring.raw_settings(slot, binding))
        if self._local is None or self._local[0] != state:
            store: Any = made
            if isinstance(made, type):
                settings = wiring.settings_of(slot, binding)
                store = made(settings) if settings is not None else made()
            if hasattr(store, "open"):
                _step(store.open())
            self._local = (state, store)
        return self._local[1]

    def fetch_now(self, wanted: Iterable[Wanted]) -> None:
        """
        Fetch secrets from synchronous code, which only a local store can.

        Raises:
            NeedsAsyncOpen: The store has to be opened and awaited by an event loop.
        """
        keys = list(dict.fromkeys(wanted))
        if not keys:
            return
        reader = self._local_store()
        if reader is None:
            raise NeedsAsyncOpen(SECRETS, fixes=("await app.start(): it fetches what is needed in one batch",))
        for key in keys:
            _step(self.cache.read(reader, key))
        self._wiring.stack.selection.renew()

    def refresh_now(self, values: Callable[[], Iterable[Value]]) -> None:
        """Read again the secrets of values whose time is over, where that needs no waiting; else the old ones serve."""
        if not (due := self.cache.due()):
            return
        used = {share.secret for value in values() for share in value.shares}
        due = [key for key in due if key[0] in used]
        if due and self._local_store() is not None:
            self.fetch_now(due)

    async def fetch(self, wanted: Iterable[Wanted]) -> None:
        """Fetch secrets in one batch with time limits; the store is opened for it. Whatever fails becomes a finding."""
        keys = list(dict.fromkeys(wanted))
        if not keys:
            return
        reader = await self._reader(keys)
        if reader is not None:
            await self.cache.fetch(reader, keys)
        self._wiring.stack.selection.renew()

    async def ask(self, names: Iterable[str]) -> None:
        """Ask the store whether secrets exist, and which versions, without their values."""
        keys = [(name, LATEST) for name in dict.fromkeys(names)]
        reader = await self._reader(keys)
        if reader is None:
            return
        for name, _ in keys:
            await self.cache.ask(reader, name)
        self._wiring.stack.selection.renew()

    async def _reader(self, keys: Iterable[Wanted]) -> SecretReader | None:
        """Return the open store; None if it cannot be opened, which is noted for every secret."""
        slot = self._wiring.stack.slots.by_name[SECRETS]
        try:
            store: SecretReader = await self._wiring.abuild(slot)
        except Exception as error:  # border: a store that cannot be opened is an outage of all its secrets
            for key in keys:
                self.cache.note(key, error)
            return None
        return store

    async def probe(self, names: Iterable[str]) -> None:
        """Read secrets to prove that they can be read, and remember no value; the store is opened for it."""
        keys = [(name, LATEST) for name in dict.fromkeys(names)]
        reader = await self._reader(keys)
        if reader is not None:
            probing = SecretCache()
            await probing.fetch(reader, keys)
            for key in keys:
                self.cache.learn(key, probing.look(*key))
        self._wiring.stack.selection.renew()

    def invalidate(self, names: Iterable[str] | None = None) -> int:
        """
        Forget secrets, all of them by default; they are fetched again where they are used next.

        Returns:
            How many were forgotten.
        """
        return self.cache.invalidate(names)

    def forget_failures(self) -> None:
        """Let secrets that could not be had be asked for again, by a start for example."""
        self.cache.forget_failures()

    async def refresh(self) -> list[str]:
        """
        Fetch again what has outlived its time; the old values serve until new ones are there.

        Returns:
            The names of the secrets that have a new version, sorted.
        """
        return await self._again(self.cache.due())

    async def rotate(self, names: Iterable[str] | None = None) -> list[str]:
        """
        Fetch secrets again now, all that were fetched by default, whatever their age; a store forgets what it keeps.

        What was not found, or could not be had, is forgotten here, and asked for again where it is used next.

        Returns:
            The names of the secrets that have a new version, sorted.

        Raises:
            SecretUnavailable: The store did not answer for one; its old value serves on.
        """
        wanted = None if names is None else set(names)
        self._drop_in_store(wanted)
        held = [key for key in self.cache.held() if wanted is None or key[0] in wanted]
        self.cache.invalidate(name for name, _ in self.cache.absent() if wanted is None or name in wanted)
        changed = await self._again([(name, version) for name, version in held if version == LATEST])
        for name, version in held:
            found = self.cache.look(name, version)
            if found.is_stale:
                raise SecretUnavailable("secrets", name, why=found.why)
        return changed

    def _drop_in_store(self, wanted: Collection[str] | None) -> None:
        """Let the open store drop its own cache, where it has one: a method `invalidate([names])`."""
        slot = self._wiring.stack.slots.by_name.get(SECRETS)
        if slot is not None and slot.cell.is_built:
            drop = getattr(slot.cell.live, "invalidate", None)
            if callable(drop):
                drop(None if wanted is None else sorted(wanted))

    async def _again(self, wanted: list[Wanted]) -> list[str]:
        before = {key: self.cache.look(*key).version for key in wanted}
        await self.fetch(wanted)
        return sorted({key[0] for key in wanted if self.cache.look(*key).version != before[key]})


def _read(selection: Selection, section: str, model_name: str) -> Any:
    """Return one of the two sections that say how secrets are read; its defaults where it is at fault."""
    from oneiric.core import secret_settings  # pydantic, which an application without secrets need not import

    model = getattr(secret_settings, model_name)
    values = [evaluate(field, selection.words) for field in fields_of(model, section)]
    try:
        return validated(model, values)
    except OneiricError:
        return model()


def _step(steps: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that does not wait to its end, without an event loop."""
    try:
        steps.send(None)
    except StopIteration:
        return
    steps.close()
    raise NeedsAsyncOpen(SECRETS)
