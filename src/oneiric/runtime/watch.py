"""The watcher: changed files become one reload of the running application, or are reported and change nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from oneiric.containers.known_secrets import KnownSecrets
from oneiric.core.errors import OneiricError
from oneiric.core.log import log
from oneiric.runtime.configuration import FileState
from oneiric.runtime.rotation import Rotation
from oneiric.runtime.swap import Swapped

QUIET_MS = 50  # without a further change, after which files are read
DEBOUNCE_MS = 400  # after which they are read although they still change
LOOK_MS = 2000  # after which files are looked at without a hint: some file systems give none
MOST_LINKS = 40  # in one path, as Linux follows them: path_resolution(7)


class Watchable(Protocol):
    """What the watcher asks of an application."""

    secrets: KnownSecrets

    @property
    def sources(self) -> Mapping[Path, FileState | None]:
        """The files of the configuration in force, as they were when they were read; None where there was none."""

    async def reload(self, *, secrets: Iterable[str] = ()) -> Swapped:
        """Read the configuration again, and these secrets, and make what differs one swap."""

    async def rotate_secrets(self) -> Rotation:
        """Read all secrets again, and swap what was built from an old value."""


class Asked(Protocol):
    """Somebody who may ask for a reload; SIGHUP does."""

    async def wait(self) -> None:
        """Return each time that somebody asks."""


class Watcher:
    """
    Reloads an application when a file that it was configured from changes, or one of the folder of its secrets.

    What the operating system tells of changes is only a hint to look: whether a file is another one than before, its
    own state says. So it does not matter how an editor writes, or which link of a path was set anew.

    Args:
        application: What is reloaded; it runs.
        is_watching: Look at files; without it only `asked` reloads.
        asked: Waits until somebody asks for a reload.
    """

    def __init__(self, application: Watchable, *, is_watching: bool = True, asked: Asked | None = None) -> None:
        self._app, self._is_watching, self._asked = application, is_watching, asked
        self._seen: Mapping[Path, FileState | None] = {}
        self._secrets: dict[str, FileState | None] = {}
        self._one_at_a_time = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to watch. What has changed since the files were read counts already."""
        self._seen = self._app.sources
        self._secrets = self._secret_states()
        if self._is_watching:
            self._tasks.add(asyncio.ensure_future(self._run()))
        if self._asked is not None:
            self._tasks.add(asyncio.ensure_future(self._follow(self._asked)))

    async def stop(self) -> None:
        """End it; a reload under way is given up, and what it built is closed."""
        self._stopping.set()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def look(self) -> None:
        """Reload the application if something is not as it was when this was called last."""
        async with self._one_at_a_time:
            files = {path: FileState.of(path) for path in self._app.sources}
            secrets = self._changed_secrets()
            if files != self._seen or secrets:
                self._seen = files
                await self._reload(secrets)

    async def again(self) -> None:
        """Read everything again, changed or not, as SIGHUP asks for."""
        async with self._one_at_a_time:
            self._seen = {path: FileState.of(path) for path in self._app.sources}
            self._secrets = self._secret_states()
            try:
                await self._app.rotate_secrets()
            except Exception as error:  # border: a store that is down must not keep a new configuration out
                _report(error)
            await self._reload(())

    async def _reload(self, secrets: Iterable[str]) -> None:
        try:
            swapped = await self._app.reload(secrets=secrets)
        except Exception as error:  # border: what serves goes on, and so does the watcher
            _report(error)
            return
        if not swapped.is_same:
            slots = [change.slot for change in swapped.slots]
            log().info("configuration reloaded", generation=swapped.generation, slots=slots)

    def _secret_states(self) -> dict[str, FileState | None]:
        """Return the files of the secrets that were read or asked for, by name."""
        folder, cache = self._app.secrets.folder, self._app.secrets.cache
        if folder is None:
            return {}
        # An absence is soon forgotten there, and remembered here: the file may come at any time.
        names = {*self._secrets, *(name for name, _ in (*cache.held(), *cache.absent()))}
        return {name: FileState.of(os.path.join(folder, name)) for name in sorted(names)}

    def _changed_secrets(self) -> list[str]:
        """Return the secrets whose file is another one; one whose file is gone keeps its value, and is reported."""
        before, self._secrets = self._secrets, self._secret_states()
        changed = [name for name, state in self._secrets.items() if name in before and state != before[name]]
        gone = [name for name in changed if self._secrets[name] is None]
        for name in gone:
            log().warning("the file of a secret is gone, its value stays", resource=self._app.secrets.resource(name))
        return [name for name in changed if name not in gone]

    def _places(self) -> dict[Path, tuple[int, int]]:
        """Return the folders to watch, each with what tells whether it is still the same one."""
        paths = list(self._app.sources)
        if (folder := self._app.secrets.folder) is not None:
            paths += [Path(folder, name) for name in self._secrets or ("any",)]
        found: dict[Path, tuple[int, int]] = {}
        for path in paths:
            for place in places(path):
                if (state := FileState.of(place)) is not None:
                    found[place] = (state.device, state.inode)
        return found

    async def _follow(self, asked: Asked) -> None:
        while True:
            await asked.wait()
            await self.again()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            watched = self._places()
            try:
                async with aclosing(_hints(watched)) as hints:
                    async for _ in hints:
                        await self.look()
                        if self._places() != watched:
                            break  # a folder has come or gone, or a link leads elsewhere
            except (OSError, RuntimeError) as error:  # a folder went meanwhile, or there are too many watches
                log().debug("files are looked at from time to time", why=type(error).__name__)
                await self._pause()
                await self.look()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_MS / 1000):
                await self._stopping.wait()
        except TimeoutError:
            return


def places(path: Path) -> Iterator[Path]:
    """
    Yield the folders in which a path can come to lead to another file: its own, and that of each link on the way.

    For one that does not exist it is the nearest above it.
    """
    pending, seen = [Path(os.path.abspath(path))], set[Path]()
    while pending and len(seen) < MOST_LINKS:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        yield _nearest(path.parent)
        for part in (path, *path.parents):
            if part.is_symlink():
                yield _nearest(part.parent)
                target = part.parent / os.readlink(part) / path.relative_to(part)
                pending.append(Path(os.path.normpath(target)))


def _nearest(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))


async def _hints(folders: Iterable[Path]) -> AsyncGenerator[None]:
    """Yield when it is time to look: as soon as changes are told of, after each of them, and else every two seconds."""
    from watchfiles import awatch  # takes a while to import, and most commands watch nothing

    ended = asyncio.Event()
    changes = awatch(
        *folders,
        watch_filter=None,  # a file that editors hide may be the one that is put in place
        debounce=DEBOUNCE_MS,
        step=QUIET_MS,
        stop_event=ended,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        recursive=False,
        ignore_permission_denied=True,
    )
    following = asyncio.ensure_future(anext(changes, None))
    try:
        await asyncio.sleep(0)  # its first step begins to watch, so that a look from here on misses nothing
        yield
        while await following is not None:
            following = asyncio.ensure_future(anext(changes, None))
            yield
    finally:
        ended.set()  # a cancellation would not wake its thread
        await asyncio.wait({following})
        if not following.cancelled():
            following.exception()  # raised above, or of no interest any more
        await changes.aclose()


def _report(error: Exception) -> None:
    code, why = (error.code, error.message) if isinstance(error, OneiricError) else (type(error).__name__, "")
    log().warning("the change of the configuration is not used", code=code, why=why)
