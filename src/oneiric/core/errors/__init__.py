"""
Every exception of Oneiric. Each class has a stable `code`, and a heading in `docs/reference/errors.md`.

OneiricError
├── Refused                  cannot be, and was found out before anything was opened
│   ├── UnknownSlot UnknownProfile UnknownKey InvalidName DuplicateName DuplicateSubscription
│   ├── SelectionUnknown SelectionNotInstalled SelectionDenied SelectionMissingCapability
│   ├── AmbiguousSlot AmbiguousType NoCandidate WrongType
│   ├── InvalidValue InvalidDirective MissingRequired InvalidShadowed DuplicateEnv ConfigNotFound
│   ├── AppNotImportable BadOption InvalidPort PortInUse
│   ├── InvalidSecretReference SecretNotFound SecretFieldNotFound SecretUnavailable SecretOutOfScope SecretFallback
│   ├── BootstrapCycle PlaintextSecret ProtectedKey InlineDigestMismatch InvalidManifest
│   ├── DependencyCycle MissingDependency ScopeLeak AnnotationUnresolved ClassOverride
│   ├── InvalidEvent BodyTooLarge PushAuthConfig
│   ├── NotRunning SeveralRunning UnknownGeneration BadCommand StoreNewer StoreCorrupt
│   └── InvalidApplication   all the faults of one application, together
├── NoActiveApplication NeedsAsyncOpen WrongLoop ScopeClosed
├── StartFailed OpenTimeout BuildFailed
├── SwapFailed Unhealthy ControlUnavailable StoreUnavailable
├── HandlerFailed
└── AdapterError             a call to an adapter failed
    ├── NotFound Conflict Denied InvalidInput Unsupported NotOpen NotInstalled BadReply
    └── Unavailable TimedOut RateLimited TransactionAborted   (retryable)
"""

from __future__ import annotations

from oneiric.core.errors.activity import StoreCorrupt, StoreNewer, StoreUnavailable
from oneiric.core.errors.adapter import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    NotInstalled,
    NotOpen,
    RateLimited,
    TimedOut,
    TransactionAborted,
    Unavailable,
    Unsupported,
)
from oneiric.core.errors.configuration import (
    AppNotImportable,
    BadOption,
    ConfigNotFound,
    DuplicateEnv,
    DuplicateName,
    DuplicateSubscription,
    InvalidDirective,
    InvalidName,
    InvalidPort,
    InvalidShadowed,
    InvalidValue,
    MissingRequired,
    PortInUse,
    UnknownKey,
)
from oneiric.core.errors.problem import (
    OneiricError,
    Problem,
    Refused,
    did_you_mean,
    install_line,
    nearest,
)
from oneiric.core.errors.running import (
    BodyTooLarge,
    BuildFailed,
    HandlerFailed,
    InvalidEvent,
    NeedsAsyncOpen,
    NoActiveApplication,
    OpenTimeout,
    PushAuthConfig,
    ScopeClosed,
    StartFailed,
    WrongLoop,
)
from oneiric.core.errors.secrets import (
    BootstrapCycle,
    InlineDigestMismatch,
    InvalidManifest,
    InvalidSecretReference,
    PlaintextSecret,
    ProtectedKey,
    SecretFallback,
    SecretFieldNotFound,
    SecretNotFound,
    SecretOutOfScope,
    SecretUnavailable,
)
from oneiric.core.errors.selection import (
    AmbiguousSlot,
    NoCandidate,
    SelectionDenied,
    SelectionMissingCapability,
    SelectionNotInstalled,
    SelectionUnknown,
    UnknownProfile,
    UnknownSlot,
)
from oneiric.core.errors.swapping import (
    BadCommand,
    ControlUnavailable,
    NotRunning,
    SeveralRunning,
    SwapFailed,
    Unhealthy,
    UnknownGeneration,
)
from oneiric.core.errors.wiring import (
    AmbiguousType,
    AnnotationUnresolved,
    ClassOverride,
    DependencyCycle,
    InvalidApplication,
    MissingDependency,
    ScopeLeak,
    WrongType,
)

__all__ = [
    "AdapterError",
    "AmbiguousSlot",
    "AmbiguousType",
    "AnnotationUnresolved",
    "AppNotImportable",
    "BadCommand",
    "BadOption",
    "BadReply",
    "BodyTooLarge",
    "BootstrapCycle",
    "BuildFailed",
    "ClassOverride",
    "ConfigNotFound",
    "Conflict",
    "ControlUnavailable",
    "Denied",
    "DependencyCycle",
    "DuplicateEnv",
    "DuplicateName",
    "DuplicateSubscription",
    "HandlerFailed",
    "InlineDigestMismatch",
    "InvalidApplication",
    "InvalidDirective",
    "InvalidEvent",
    "InvalidInput",
    "InvalidManifest",
    "InvalidName",
    "InvalidPort",
    "InvalidSecretReference",
    "InvalidShadowed",
    "InvalidValue",
    "MissingDependency",
    "MissingRequired",
    "NeedsAsyncOpen",
    "NoActiveApplication",
    "NoCandidate",
    "NotFound",
    "NotInstalled",
    "NotOpen",
    "NotRunning",
    "OneiricError",
    "OpenTimeout",
    "PlaintextSecret",
    "PortInUse",
    "Problem",
    "ProtectedKey",
    "PushAuthConfig",
    "RateLimited",
    "Refused",
    "ScopeClosed",
    "ScopeLeak",
    "SecretFallback",
    "SecretFieldNotFound",
    "SecretNotFound",
    "SecretOutOfScope",
    "SecretUnavailable",
    "SelectionDenied",
    "SelectionMissingCapability",
    "SelectionNotInstalled",
    "SelectionUnknown",
    "SeveralRunning",
    "StartFailed",
    "StoreCorrupt",
    "StoreNewer",
    "StoreUnavailable",
    "SwapFailed",
    "TimedOut",
    "TransactionAborted",
    "Unavailable",
    "Unhealthy",
    "UnknownGeneration",
    "UnknownKey",
    "UnknownProfile",
    "UnknownSlot",
    "Unsupported",
    "WrongLoop",
    "WrongType",
    "did_you_mean",
    "install_line",
    "nearest",
]
