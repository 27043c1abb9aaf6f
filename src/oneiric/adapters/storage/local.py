"""
Storage in a folder of this machine: every object is a file under its key.

It needs what POSIX systems have: file names relative to an open folder, and `flock`.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import json
import math
import os
import secrets
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from io import BufferedReader, BufferedWriter
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic import Field

from oneiric.adapters.storage import common
from oneiric.adapters.storage.common import StoredObject
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import AdapterError, BadReply, Conflict, Denied, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from anyio import CapacityLimiter

T = TypeVar("T")
_Details: TypeAlias = dict[str, Any]  # the JSON object beside a body: content_type and metadata
NAME = "local"
DEFAULT_ROOT = ".oneiric/storage"
THREADS = 10
LISTED_AT_ONCE = 100
RESERVED = ".oneiric\\"  # no key holds a backslash, so no key leads into this folder
INCOMING = (RESERVED, "incoming")
DETAILS = (RESERVED, "details")
DETAILS_END = ".json"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})
_FAULTS: dict[int, tuple[type[AdapterError], str]] = {
    errno.EEXIST: (Conflict, "there is an object under the key"),
    errno.EISDIR: (Conflict, "the key is a folder of other objects, or no plain file"),
    errno.ENOTDIR: (Conflict, "a part of the key is an object"),
    errno.EBADMSG: (BadReply, "the details of the object are damaged"),
    errno.ENAMETOOLONG: (InvalidInput, "a segment of the key is longer than the file system takes"),
    errno.ELOOP: (Denied, "a symbolic link is in the way"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), (Denied, "no permission")),
    errno.EROFS: (Denied, "the file system is read-only"),
}


class LocalStorage:
    """
    Objects as files below a folder; processes may share it.

    The file system adds three rules to those of `Storage`: `a` and `a/b` cannot both be objects (`conflict`), a
    segment has at most as many bytes as a file name (255 on most systems), and a key that a symbolic link is part of
    is `denied`, wherever the link leads. Files that were put there by hand are objects without content type and
    metadata; links and files whose name is no key are not listed. A cancellation that comes once the new object
    is being put in place comes too late: the new object stays, whole.

    Args:
        settings: Where the folder is; a relative one lies in the working folder at opening.
    """

    class Settings(AdapterSettings):
        """Where the objects lie."""

        root: str = Field(default=DEFAULT_ROOT, min_length=1, description="folder of the objects; made when absent")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files: _Files | None = None
        self._limiter: CapacityLimiter | None = None

    async def open(self) -> None:
        from anyio import CapacityLimiter, to_thread

        if self._files is not None:
            return
        files, limiter = _Files(self._settings.root), CapacityLimiter(THREADS)
        try:
            await to_thread.run_sync(files.prepare, limiter=limiter)
        except OSError as error:
            kind = Denied if isinstance(error, PermissionError) else Unavailable
            raise kind(_said(error), category="storage", name=NAME, operation="open") from error
        self._files, self._limiter = files, limiter

    async def close(self) -> None:
        self._files = self._limiter = None

    async def health(self) -> Health:
        from anyio import to_thread

        files, limiter = self._files, self._limiter
        if files is None:
            return Health(ok=False, detail="not open")
        begun_s, detail = time.monotonic(), ""
        try:
            async with asyncio.timeout(self._settings.health_timeout_s):
                await to_thread.run_sync(partial(files.entries, ""), limiter=limiter, abandon_on_cancel=True)
        except OSError as error:  # TimeoutError is one
            detail = _said(error)
        return Health(ok=not detail, detail=detail, latency_s=time.monotonic() - begun_s)

    async def put(
        self,
        key: str,
        body: bytes | AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> StoredObject:
        common.check_put(key, content_type, metadata, name=NAME)
        details = {"content_type": content_type, "metadata": dict(metadata or {})}
        return await self._write("put", key, common.parts(body, name=NAME), details, if_absent)

    async def get(self, key: str) -> bytes:
        common.check_keys(key, name=NAME, operation="get")
        return await self._work("get", partial(self._opened("get").read, key), sought=key)

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        common.check_keys(key, name=NAME, operation="stream")
        common.check_range(start, end, name=NAME)
        left_bytes = math.inf if end is None else end - start
        with ExitStack() as held:
            file = await self._work("stream", partial(self._opened("stream").open, key, held), sought=key)
            file.seek(start)
            while part := await self._work("stream", partial(file.read, int(min(left_bytes, common.CHUNK_BYTES)))):
                left_bytes -= len(part)
                yield part

    async def head(self, key: str) -> StoredObject | None:
        common.check_keys(key, name=NAME, operation="head")
        try:
            return await self._work("head", partial(self._opened("head").head, key), sought=key)
        except NotFound:
            return None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        common.check_prefix(prefix, name=NAME)
        found = self._opened("list").objects(prefix)
        while batch := await self._work("list", lambda: tuple(islice(found, LISTED_AT_ONCE))):
            for stored in batch:
                yield stored

    async def copy(self, source: str, target: str) -> StoredObject:
        common.check_keys(source, target, name=NAME, operation="copy")
        with ExitStack() as held:
            described = partial(self._opened("copy").open_described, source, held)
            file, stored = await self._work("copy", described, sought=source)

            async def body() -> AsyncGenerator[bytes, None]:
                while part := await self._work("copy", partial(file.read, common.CHUNK_BYTES)):
                    yield part

            details = {"content_type": stored.content_type, "metadata": stored.metadata}
            return await self._write("copy", target, body(), details, if_absent=False)

    async def delete(self, *keys: str) -> None:
        common.check_keys(*keys, name=NAME, operation="delete")
        await self._work("delete", partial(self._opened("delete").delete, keys))

    async def sign(self, key: str, *, method: str = "GET", ttl_s: int = 900) -> str:
        raise common.no_signing(name=NAME)

    def _opened(self, operation: str) -> _Files:
        if self._files is None:
            raise common.not_open(NAME, operation)
        return self._files

    async def _work(self, operation: str, call: Callable[[], T], *, sought: str | None = None) -> T:
        """Run `call` in a thread and map what the system says; `sought` is the key that must exist."""
        self._opened(operation)
        try:
            return await _in_thread(call, self._limiter)
        except OSError as error:
            if sought is not None and error.errno in _ABSENT:
                raise common.not_found(sought, NAME, operation) from error
            kind, reason = _FAULTS.get(error.errno or 0, (Unavailable, _said(error)))
            raise kind(reason, category="storage", name=NAME, operation=operation) from error

    async def _write(
        self, operation: str, key: str, body: AsyncGenerator[bytes, None], details: _Details, if_absent: bool
    ) -> StoredObject:
        held = ExitStack()
        try:
            incoming = await self._work(operation, partial(_Incoming, self._opened(operation), held))
            async with aclosing(body) as arriving:
                async for part in arriving:
                    await self._work(operation, partial(incoming.write, part))
            return await self._work(operation, partial(incoming.place, key, details, if_absent=if_absent))
        finally:
            # Straight to the thread: what is left must go even when the adapter was closed meanwhile.
            await _in_thread(held.close, None)


async def _in_thread(call: Callable[[], T], limiter: CapacityLimiter | None) -> T:
    """
    Run blocking work in a thread, and be done only when it is: a cancelled caller waits for it too.

    A thread cannot be cancelled. Left alone, it would go on with files that its caller has closed.
    """
    from anyio import CancelScope, to_thread

    work = asyncio.ensure_future(to_thread.run_sync(call, limiter=limiter))
    cancelled: asyncio.CancelledError | None = None
    with CancelScope(shield=True):
        while not work.done():
            try:
                await asyncio.wait({work})
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        work.exception()  # looked at, so that the event loop does not report it as lost
        raise cancelled
    return work.result()


class _Files:
    """The blocking half: what is done in the folder, in threads. It raises nothing but OSError."""

    def __init__(self, root: str) -> None:
        self._root = root

    def prepare(self) -> None:
        """Make the folders, and remove what writers that died have left."""
        self._root = os.path.realpath(self._root)
        os.makedirs(self._root, exist_ok=True)
        # Whoever writes holds the lock: where nobody does, what lies there is of writers that were killed.
        alone = self.locked("writers", fcntl.LOCK_EX | fcntl.LOCK_NB)
        with self.folder(INCOMING, make=True) as incoming, suppress(BlockingIOError), alone:
            _remove(os.listdir(incoming), incoming)

    @contextmanager
    def folder(self, segments: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """Open a folder below the root step by step, so that no symbolic link can be slipped in on the way."""
        try:
            place = os.open(self._root, _FOLDER)
        except FileNotFoundError as error:
            # Of its own kind, so that a root that is gone is not mistaken for an object that is absent.
            raise OSError(errno.ESTALE, "the root folder is gone") from error
        try:
            for segment in segments:
                inner = _enter(segment, place, make=make)
                os.close(place)
                place = inner
            yield place
        finally:
            os.close(place)

    @contextmanager
    def locked(self, name: str, how: int) -> Iterator[None]:
        """Hold a lock of this root, which other processes heed too; readers need none."""
        with self.folder((RESERVED,), make=True) as reserved:
            lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=reserved)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)

    def open(self, key: str, held: ExitStack) -> BufferedReader:
        """Open an object to be read; `held` closes it."""
        *parents, leaf = key.split("/")
        with self.folder(parents) as place:
            # Without O_NONBLOCK a named pipe that somebody put there would hold the thread for ever.
            number = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        try:
            _require_file(os.fstat(number))
        except OSError:
            os.close(number)
            raise
        return held.enter_context(os.fdopen(number, "rb"))

    def open_described(self, key: str, held: ExitStack) -> tuple[BufferedReader, StoredObject]:
        """Open an object to be read, and say what is known about the version that is read."""
        while True:
            file = self.open(key, held)
            stored = self.describe(key, os.fstat(file.fileno()))
            if stored is not None:
                return file, stored
            held.close()

    def read(self, key: str) -> bytes:
        """Return the body of an object."""
        with ExitStack() as held:
            return self.open(key, held).read()

    def head(self, key: str) -> StoredObject:
        """Return what is known about an object."""
        while True:
            stored = self.describe(key, self._state(key))
            if stored is not None:
                return stored

    def describe(self, key: str, state: os.stat_result) -> StoredObject | None:
        """Join a file's state with its details; None where the file was replaced before its details were read."""
        details: _Details = {}
        try:
            with self.folder(DETAILS) as folder:
                number = os.open(_details_name(key, state), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
            with os.fdopen(number, "rb") as file:
                details = dict(json.load(file))
        except (ValueError, TypeError) as error:
            raise OSError(errno.EBADMSG, "the details of the object are damaged") from error
        except FileNotFoundError:
            if _etag(self._state(key)) != _etag(state):
                return None
        return _stored(key, state, details)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Walk the objects under a prefix in the order of their keys; nothing stays open between two of them."""
        ahead = [iter(self.entries(""))]
        while ahead:
            path = next(ahead[-1], None)
            if path is None:
                ahead.pop()
            elif path.endswith("/"):
                if path.startswith(prefix) or prefix.startswith(path):
                    ahead.append(iter(self.entries(path)))
            elif path.startswith(prefix) and common.key_fault(path) is None:
                # Whoever removes the object between the two looks at it takes it out of the list.
                with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    yield self.head(path)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, their details, and folders that are empty then."""
        for key in keys:
            *parents, leaf = key.split("/")
            with self.locked("change", fcntl.LOCK_EX):
                try:
                    state = self._state(key)
                except OSError as error:
                    if error.errno in _ABSENT:
                        continue
                    raise
                with self.folder(parents) as place:
                    os.unlink(leaf, dir_fd=place)
                    os.fsync(place)
                with self.folder(DETAILS, make=True) as folder:
                    _remove((_details_name(key, state),), folder)
                with suppress(OSError):  # the first one that is not empty ends it
                    while parents:
                        with self.folder(parents[:-1]) as place:
                            os.rmdir(parents.pop(), dir_fd=place)

    def _state(self, key: str) -> os.stat_result:
        *parents, leaf = key.split("/")
        with self.folder(parents) as place:
            state = os.stat(leaf, dir_fd=place, follow_symlinks=False)
        _require_file(state)
        return state

    def entries(self, path: str) -> list[str]:
        """Return the paths of a folder's files and folders, these with `/` at the end, in the order of keys."""
        found: list[str] = []
        # A folder that is gone by now has no objects.
        with suppress(FileNotFoundError, NotADirectoryError), self.folder(path.split("/")[:-1]) as place:
            with os.scandir(place) as entries:
                named = [entry for entry in entries if common.key_fault(entry.name) is None and not entry.is_symlink()]
            found += [f"{path}{item.name}{'/' if item.is_dir(follow_symlinks=False) else ''}" for item in named]
        return sorted(found)


class _Incoming:
    """A body on its way: a temporary file that becomes the object in one step, or goes away."""

    def __init__(self, files: _Files, held: ExitStack) -> None:
        self._files = files
        self._name = secrets.token_hex(16)
        # The lock tells `prepare` of a writer that lives.
        held.enter_context(files.locked("writers", fcntl.LOCK_SH))
        self._file = self._made(self._name)
        held.callback(self._discard)

    def write(self, part: bytes) -> None:
        """Append to the body."""
        self._file.write(part)

    def place(self, key: str, details: _Details, *, if_absent: bool) -> StoredObject:
        """Make what was written the object of a key, and return what is known about it then."""
        # Set by hand, because a file system's own clock may stand still between two puts: it makes the etag.
        now_ns = time.time_ns()
        self._file.flush()
        os.utime(self._file.fileno(), ns=(now_ns, now_ns))
        os.fsync(self._file.fileno())
        state = os.fstat(self._file.fileno())
        has_details = any(details.values())
        if has_details:
            with self._made(self._name + DETAILS_END) as beside:
                beside.write(json.dumps(details).encode())
                beside.flush()
                os.fsync(beside.fileno())
        *parents, leaf = key.split("/")
        with (
            self._files.locked("change", fcntl.LOCK_EX),
            self._files.folder(INCOMING) as incoming,
            self._files.folder(DETAILS, make=True) as folder,
            self._files.folder(parents, make=True) as place,
        ):
            old = _replaced(leaf, place)
            if old is not None and if_absent:
                raise FileExistsError(errno.EEXIST, "there is an object")
            if has_details:
                name = _details_name(key, state)
                os.replace(self._name + DETAILS_END, name, src_dir_fd=incoming, dst_dir_fd=folder)
                os.fsync(folder)
            os.replace(self._name, leaf, src_dir_fd=incoming, dst_dir_fd=place)
            os.fsync(place)
            if old is not None:
                _remove((_details_name(key, old),), folder)
        return _stored(key, state, details)

    def _made(self, name: str) -> BufferedWriter:
        with self._files.folder(INCOMING, make=True) as incoming:
            return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=incoming), "wb")

    def _discard(self) -> None:
        """Close the file, and remove it where it has not become an object."""
        with suppress(OSError), self._files.folder(INCOMING) as incoming:  # what stays, `prepare` removes
            _remove((self._name + DETAILS_END, self._name), incoming)
        with suppress(OSError):  # what cannot be flushed was not wanted any more
            self._file.close()


def _enter(segment: str, place: int, *, make: bool) -> int:
    """Open a folder in an open folder; a symbolic link is ELOOP."""
    flags = _FOLDER | os.O_NOFOLLOW
    try:
        return os.open(segment, flags, dir_fd=place)
    except FileNotFoundError:
        if not make:
            raise
    except NotADirectoryError:  # what Linux says of a link, too
        _require_file(os.stat(segment, dir_fd=place, follow_symlinks=False))
        raise
    with suppress(FileExistsError):  # another writer was faster
        os.mkdir(segment, dir_fd=place)
    os.fsync(place)
    return os.open(segment, flags, dir_fd=place)


def _require_file(state: os.stat_result) -> None:
    if stat.S_ISLNK(state.st_mode):
        raise OSError(errno.ELOOP, "a symbolic link")
    if not stat.S_ISREG(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, "no plain file")


def _replaced(leaf: str, place: int) -> os.stat_result | None:
    """Return the state of the object that a new one will replace; folders without any object in them give way."""
    with suppress(OSError):  # there is no folder, or it is not empty
        for _, folders, _, inner in os.fwalk(leaf, topdown=False, dir_fd=place):
            for folder in folders:
                os.rmdir(folder, dir_fd=inner)
        os.rmdir(leaf, dir_fd=place)
    try:
        state = os.stat(leaf, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return None
    _require_file(state)
    return state


def _remove(names: Sequence[str], place: int) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)


def _etag(state: os.stat_result) -> str:
    return f"{state.st_mtime_ns:x}-{state.st_size:x}"


def _details_name(key: str, state: os.stat_result) -> str:
    """Name the details of one version: a kill between the two files never joins a body with another's details."""
    return f"{hashlib.sha256(key.encode()).hexdigest()}-{_etag(state)}{DETAILS_END}"


def _stored(key: str, state: os.stat_result, details: _Details) -> StoredObject:
    modified = datetime.fromtimestamp(state.st_mtime, UTC)
    metadata = dict(details.get("metadata", {}))
    return StoredObject(key, state.st_size, _etag(state), modified, details.get("content_type"), metadata)


def _said(error: OSError) -> str:
    return (error.strerror or "no answer in time").lower()
