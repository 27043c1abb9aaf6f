"""Secrets in files, one for each: Docker and Kubernetes secrets, systemd credentials, or a folder of one's own."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from typing import ClassVar, NoReturn

from pydantic import Field, SecretBytes

from oneiric.adapters.secrets.common import LATEST, Secret, check_name
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import AdapterError, Denied, InvalidInput, NotFound, NotOpen, Unavailable

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"  # systemd.exec(5), "Credentials"
DOCKER_FOLDER = "/run/secrets"
MAX_BYTES = 1024 * 1024  # systemd's own limit for all credentials of a service, and Kubernetes' for one Secret
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe must not stop the loop


def is_read_only_mount(descriptor: int) -> bool:
    """Tell whether a file lies on a file system that is mounted read-only."""
    return bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)


class FileSecrets:
    """
    Reads files of one folder; the secret's name is the file's name.

    A file, and the folder too, is refused if group or others may write it, if others may read the file, or if it
    belongs to neither root nor this user. On a read-only mount, owner and reading by others do not matter: Docker
    (0444) and Kubernetes (0644 in a folder of mode 1777) mount secrets so, and nobody but the container sees them.
    systemd's 0400 and 0440 pass anywhere. A link is followed only to a file below the folder, as in Kubernetes'
    `..data`. Files are small and local, so they are read on the event loop.

    Args:
        settings: Which folder, and how its files are read.
        environ: Where `CREDENTIALS_DIRECTORY` is looked up; the environment of the process by default.
        is_read_only: Tells whether an open file lies on a read-only mount.
    """

    is_local: ClassVar[bool] = True  # it answers without waiting, so that explain may ask it at any time

    class Settings(AdapterSettings):
        """Where the files are, and how they are read."""

        folder: str | None = Field(
            default=None,
            description="the folder; none: what CREDENTIALS_DIRECTORY names (systemd), else /run/secrets (Docker)",
        )
        max_bytes: int = Field(default=MAX_BYTES, ge=1, description="longest file that is read, in bytes")
        strip_newline: bool = Field(
            default=True, description="one line end at the end of a file is the editor's, and no part of the secret"
        )

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        is_read_only: Callable[[int], bool] = is_read_only_mount,
    ) -> None:
        self._settings, self._environ, self._is_read_only = settings, environ, is_read_only
        self._folder: str | None = None

    @property
    def folder(self) -> str | None:
        """The folder that is read; None where it is not open."""
        return self._folder

    async def open(self) -> None:
        environ = os.environ if self._environ is None else self._environ
        folder = self._settings.folder or environ.get(CREDENTIALS_VARIABLE) or DOCKER_FOLDER
        self._check_folder(folder, "open")
        self._folder = folder

    async def close(self) -> None:
        self._folder = None

    async def health(self) -> Health:
        if self._folder is None:
            return Health(False, "not open")
        try:
            self._check_folder(self._folder, "health")
        except AdapterError as error:
            return Health(False, error.message)
        return Health(True, f"folder {self._folder}")

    def resource(self, name: str) -> str:
        """Return how explanations call a secret: by its file."""
        return os.path.join(self._folder or self._settings.folder or "", name)

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        descriptor = self._open_file(name, "get")
        try:
            found = _version_of(os.fstat(descriptor))
            if version not in {LATEST, found}:
                raise NotFound("not in this version", **_where("get"))
            value = self._read(descriptor)
        except OSError as error:
            self._raise(error, "get")
        finally:
            os.close(descriptor)
        return Secret(name, SecretBytes(self._without_newline(value)), found)

    async def version(self, name: str) -> str | None:
        try:
            descriptor = self._open_file(name, "version")
        except NotFound:
            return None
        try:
            return _version_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    async def put(self, name: str, value: SecretBytes) -> str:
        """Write a file of mode 0600 beside the old one and put it in its place; readers see the old or the new one."""
        folder = self._opened("put")
        check_name(name, adapter="file", operation="put")
        content = value.get_secret_value()
        if self._settings.strip_newline and content.endswith(b"\n"):
            content += b"\n"  # reading takes one line end off, and the value must come back as it was
        if len(content) > self._settings.max_bytes:
            raise InvalidInput(f"the file would be longer than {self._settings.max_bytes} bytes", **_where("put"))
        temporary = os.path.join(folder, f".{secrets.token_hex(8)}.tmp")  # no secret's name begins with a dot
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
                found = _version_of(os.fstat(descriptor))
            os.replace(temporary, os.path.join(folder, name))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            self._raise(error, "put")
        return found

    def _opened(self, operation: str) -> str:
        if self._folder is None:
            raise NotOpen(**_where(operation))
        return self._folder

    def _open_file(self, name: str, operation: str) -> int:
        """Return a descriptor of the secret's file, checked on the descriptor so that no other file can slip in."""
        folder = self._opened(operation)
        check_name(name, adapter="file", operation=operation)
        path = os.path.join(folder, name)
        for is_last in (False, True):  # Kubernetes may exchange ..data between the two looks: look again once
            try:
                real = os.path.realpath(path, strict=True)
                if not real.startswith(os.path.realpath(folder, strict=True).rstrip("/") + "/"):
                    raise Denied(f"{name} is a link to a file outside the folder", **_where(operation))
                descriptor = os.open(real, _OPEN_FLAGS)
                break
            except FileNotFoundError:
                if not is_last:
                    continue
                self._check_folder(folder, operation)  # a folder that went away is an outage, not an absent secret
                raise NotFound(f"no file {name} in {folder}", **_where(operation)) from None
            except OSError as error:
                self._raise(error, operation)
        try:
            self._check_file(descriptor, name, operation)
        except AdapterError:
            os.close(descriptor)
            raise
        return descriptor

    def _check_file(self, descriptor: int, name: str, operation: str) -> None:
        facts = os.fstat(descriptor)
        fault, fix = "", f"chmod 600 {name}"
        if not stat.S_ISREG(facts.st_mode):
            fault, fix = "is no regular file", f"put the value into a file named {name}"
        elif facts.st_mode & _WRITABLE_BY_OTHERS:
            fault = "may be written by others"
        elif not self._is_read_only(descriptor):
            if facts.st_mode & stat.S_IROTH:
                fault = "may be read by everybody"
            elif facts.st_uid not in {0, os.geteuid()}:
                fault, fix = "belongs to another user", f"chown {os.geteuid()} {name}"
        if not fault and facts.st_size > self._settings.max_bytes:
            fault, fix = f"is longer than {self._settings.max_bytes} bytes", "raise max_bytes in the settings"
        if fault:
            raise Denied(f"{name} {fault}; fix: {fix}", fixes=(fix,), **_where(operation))

    def _check_folder(self, folder: str, operation: str) -> None:
        """Let a folder pass that others cannot change; on a read-only mount they cannot."""
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            fix = "name the folder in settings.secrets.file.folder"
            raise Unavailable(f"there is no folder {folder}; fix: {fix}", fixes=(fix,), **_where(operation)) from None
        except OSError as error:
            self._raise(error, operation)
        try:
            facts = os.fstat(descriptor)
            is_safe = self._is_read_only(descriptor)
        finally:
            os.close(descriptor)
        if not is_safe and (facts.st_mode & _WRITABLE_BY_OTHERS or facts.st_uid not in {0, os.geteuid()}):
            fix = f"chown {os.geteuid()} {folder}; chmod 700 {folder}"
            raise Denied(f"others may change the folder {folder}; fix: {fix}", fixes=(fix,), **_where(operation))

    def _read(self, descriptor: int) -> bytes:
        """Read a whole file, which may have grown since it was checked."""
        limit = self._settings.max_bytes
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            value = file.read(limit + 1)
        if len(value) > limit:
            raise Denied(f"the file is longer than {limit} bytes", **_where("get"))
        return value

    def _without_newline(self, value: bytes) -> bytes:
        if not self._settings.strip_newline or not value.endswith(b"\n"):
            return value
        return value[:-2] if value.endswith(b"\r\n") else value[:-1]

    def _raise(self, error: OSError, operation: str) -> NoReturn:
        """Raise our error for one of the operating system; it holds paths, and never a file's content."""
        refused = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.EISDIR}
        kind: type[AdapterError] = Denied if error.errno in refused else Unavailable
        raise kind(os.strerror(error.errno or errno.EIO), **_where(operation)) from error


def _where(operation: str) -> dict[str, str]:
    return {"category": "secrets", "name": "file", "operation": operation}


def _version_of(facts: os.stat_result) -> str:
    """Return a text that changes with the file; the length stays out of it, since it tells of the value."""
    return f"{facts.st_mtime_ns:x}-{facts.st_ino:x}"
