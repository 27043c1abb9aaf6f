"""A secret, or a manifest that names secrets, that cannot be used. None of these errors holds a value."""

from __future__ import annotations

from collections.abc import Sequence

from oneiric.core.errors.problem import Refused
from oneiric.core.origins import Origin


class InvalidSecretReference(Refused):
    """A text that begins with `secret://` and does not name a secret."""

    code = "invalid-secret-reference"

    def __init__(self, key: str, why: str, *, origin: Origin | None = None) -> None:
        self.key = key
        super().__init__(
            f"{key}: the secret reference cannot be read: {why}",
            origin=origin,
            fixes=("write secret://NAME, secret://NAME#FIELD or secret://NAME?version=N&optional",),
        )


class SecretNotFound(Refused):
    """The value that wins is a reference to a secret that the store does not have; no lower layer answers for it."""

    code = "secret-not-found"

    def __init__(
        self, key: str, name: str, *, store: str, version: str = "latest", origin: Origin | None = None
    ) -> None:
        self.key, self.name = key, name
        which = f'"{name}"' if version == "latest" else f'version {version} of "{name}"'
        super().__init__(
            f"{key}: the store {store} has no secret {which}; a reference never falls through",
            origin=origin,
            fixes=(f"create the secret {name} in {store}", f"secret://{name}?optional lets a lower layer answer"),
        )


class SecretFieldNotFound(Refused):
    """A reference names a field of a secret that is no JSON object, or has no such field."""

    code = "secret-field-not-found"

    def __init__(self, key: str, name: str, field: str, *, why: str, origin: Origin | None = None) -> None:
        self.key, self.name, self.field = key, name, field
        super().__init__(
            f'{key}: no field "{field}" in the secret "{name}": {why}',
            origin=origin,
            fixes=(f"store {name} as a JSON object with the field {field}", "take the field out of the reference"),
        )


class SecretUnavailable(Refused):
    """The store is down, slow, or denies the secret. An outage never lets a weaker source answer."""

    code = "secret-unavailable"

    def __init__(
        self,
        key: str,
        name: str,
        *,
        why: str,
        is_reference: bool = False,
        origin: Origin | None = None,
        fixes: Sequence[str] = (),
    ) -> None:
        self.key, self.name, self.why = key, name, why
        switch = () if is_reference else ('secrets.on_error = "fallback" lets the next layer answer',)
        super().__init__(
            f'{key}: the secret "{name}" cannot be had: {why}',
            origin=origin,
            fixes=(*(fixes or ("see whether the store answers and lets this identity read it",)), *switch),
        )


class SecretOutOfScope(Refused):
    """A remote manifest refers to a secret that it may not read."""

    code = "secret-out-of-scope"

    def __init__(self, key: str, name: str, *, scope: Sequence[str], origin: Origin | None = None) -> None:
        self.key, self.name = key, name
        said = ", ".join(scope) or "nothing"
        super().__init__(
            f'{key}: a remote manifest may not refer to the secret "{name}"; its scope is {said}',
            origin=origin,
            fixes=(f"add a glob for {name} to remote.secret_scope", "take the reference out of the manifest"),
        )


class BootstrapCycle(Refused):
    """A setting that is needed to reach the secret store refers to a secret in it."""

    code = "bootstrap-cycle"

    def __init__(self, key: str, *, origin: Origin | None = None) -> None:
        self.key = key
        super().__init__(
            f"{key}: it is read before the secret store is open, and cannot be a secret reference",
            origin=origin,
            fixes=("give the value itself, in a file or a variable", "use the identity of the machine"),
        )


class PlaintextSecret(Refused):
    """A manifest holds a secret in plain text; a warning where the profile allows it."""

    code = "plaintext-secret"

    def __init__(self, key: str, *, origin: Origin | None = None) -> None:
        self.key = key
        name = key.replace(".", "-")  # as core/secrets.py names it, one floor up
        super().__init__(
            f"{key}: a manifest holds this secret itself, not a reference to it",
            origin=origin,
            fixes=(f'store it, and write "secret://{name}" there', "take it out: the secrets layer answers for it"),
        )


class ProtectedKey(Refused):
    """A remote manifest sets what only the operator may set."""

    code = "protected-key"

    def __init__(self, key: str, *, origin: Origin | None = None) -> None:
        self.key = key
        super().__init__(
            f"{key}: a remote manifest may not set it",
            origin=origin,
            fixes=("set it in oneiric.toml, by a variable or in the manifest of the build", "take it out"),
        )


class InlineDigestMismatch(Refused):
    """The manifest of the build was altered after it was packed."""

    code = "inline-digest-mismatch"

    def __init__(self, path: str, *, why: str) -> None:
        super().__init__(
            f"{path}: {why}; it was altered after the build",
            fixes=("deploy the build as it was made", "oneiric manifest pack writes both files anew"),
        )


class InvalidManifest(Refused):
    """A manifest that breaks its schema, or that has expired."""

    code = "invalid-manifest"

    def __init__(self, path: str, why: str, *, origin: Origin | None = None) -> None:
        super().__init__(f"{path}: {why}", origin=origin, fixes=("oneiric manifest pack writes one that can be read",))


class SecretFallback(Refused):
    """A warning: the store could not answer, and a lower layer did."""

    code = "secret-fallback"

    def __init__(self, key: str, name: str, *, why: str, layer: str | None, origin: Origin | None = None) -> None:
        self.key, self.name = key, name
        super().__init__(
            f'{key}: the secret "{name}" cannot be had ({why}); layer {layer or "code"} answers instead',
            origin=origin,
            fixes=("see whether the store answers and lets this identity read it",),
        )
