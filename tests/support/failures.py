"""One typical object of every error class; what the goldens of `tests/goldens/errors/` show."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric.core import errors
from oneiric.core.errors import OneiricError
from oneiric.core.origins import CodeOrigin, EnvOrigin, FlagOrigin

ENV = EnvOrigin("ONEIRIC_SELECT__CACHE")
AT = CodeOrigin("handlers.orders:12")
CHECKOUT = ("handlers.orders:checkout", "slot sessions", "slot cache")
WHERE = {"category": "cache", "name": "redis", "operation": "get", "slot": "cache.sessions"}


def failures() -> Iterator[OneiricError]:
    """Build one error of each class with the arguments it gets in practice."""
    yield OneiricError("the order could not be taken", path=CHECKOUT, origin=ENV, fixes=("call the shop",))
    yield errors.Refused("the shop is closed", fixes=("come back tomorrow",))
    yield from selection()
    yield from configuration()
    yield from secrets()
    yield from wiring()
    yield from running()
    yield from swapping()
    yield from adapter()


def selection() -> Iterator[OneiricError]:
    """Build the errors of names and choices."""
    known = ["memory", "multitier", "redis"]
    yield errors.UnknownSlot("chache", known=["cache", "database"], path=CHECKOUT[:1])
    yield errors.UnknownProfile("serverles", known=["default", "serverless"], origin=FlagOrigin("--profile serverles"))
    yield errors.SelectionUnknown("cache", "reddis", known=known, origin=ENV)
    yield errors.SelectionNotInstalled("cache", "redis", "redis", others=["multitier", "memory"], origin=ENV)
    yield errors.SelectionDenied("cache", "redis", denied_at=CodeOrigin("oneiric.toml:9"), origin=ENV)
    yield errors.SelectionMissingCapability("cache", "memory", {"shared"}, others=["redis"], origin=ENV)
    yield errors.AmbiguousSlot("cache.sessions", [("one", AT), ("two", CodeOrigin("shop.cache"))], priority=100)
    yield errors.NoCandidate("cache", losers=[("redis", "not-installed"), ("memory", "denied-by-profile")])


def configuration() -> Iterator[OneiricError]:
    """Build the errors of settings, files and addresses."""
    yield errors.UnknownKey("cache.redis.hots", known=["cache.redis.host", "cache.redis.port"], origin=ENV)
    yield errors.InvalidName("Cache", "it has an upper-case letter", origin=AT)
    yield errors.DuplicateName("slot", "cache.sessions", first="shop.app:10", origin=AT)
    yield errors.DuplicateSubscription("handler", "reserve", first="shop.app:20", origin=AT)
    yield errors.InvalidValue(
        "cache.redis.port", "it is no whole number", origin=EnvOrigin("ONEIRIC_CACHE__REDIS__PORT")
    )
    yield errors.DuplicateEnv(["ONEIRIC_APP", "oneiric_app"])
    yield errors.ConfigNotFound("deploy.toml", origin=EnvOrigin("ONEIRIC_CONFIG"))
    yield errors.AppNotImportable("shop:app", 'there is no module "shop"')
    yield errors.BadOption("No such option: --prfile", command="oneiric explain")
    yield errors.InvalidPort("eighty", origin=EnvOrigin("PORT"))
    yield errors.PortInUse("127.0.0.1", 8080, "address already in use")


def secrets() -> Iterator[OneiricError]:
    """Build the errors and warnings of secrets and manifests."""
    key, name, variable = "cache.redis.password", "cache-redis-password", EnvOrigin("ONEIRIC_CACHE__REDIS__PASSWORD")
    yield errors.InvalidDirective("cache.redis.tags", '"$append" stands beside "$remove"', origin=AT)
    yield errors.MissingRequired(key, ["profile: absent", "secrets: secret-not-found"])
    yield errors.InvalidShadowed("cache.redis.port", "it is no whole number", origin=CodeOrigin("oneiric.toml:7"))
    yield errors.InvalidSecretReference(key, "it names no secret", origin=variable)
    yield errors.SecretNotFound(key, name, store="gcp", origin=variable)
    yield errors.SecretFieldNotFound(key, "db", "password", why="it is no JSON object", origin=variable)
    yield errors.SecretUnavailable(key, name, why="denied", origin=None)
    yield errors.SecretOutOfScope(key, "db-root", scope=["orders-*"], origin=AT)
    yield errors.BootstrapCycle("secrets.vault.token", origin=variable)
    yield errors.PlaintextSecret(key, origin=AT)
    yield errors.ProtectedKey("remote.secret_scope", origin=AT)
    yield errors.InlineDigestMismatch("oneiric.manifest.json", why="its digest is another one")
    yield errors.InvalidManifest("oneiric.manifest.json", 'it has an unknown field "selects"')
    yield errors.SecretFallback(key, name, why="timed-out", layer="profile")


def wiring() -> Iterator[OneiricError]:
    """Build the errors of the graph."""
    yield errors.AmbiguousType("Cache", ["cache", "cache.sessions"], path=CHECKOUT[:1], origin=AT)
    yield errors.WrongType("cache", "Cache", "dict", missing=["add", "incr"], origin=AT)
    yield errors.ClassOverride("Application", "override")
    yield errors.DependencyCycle(["pricing", "rates", "pricing"], origin=AT)
    yield errors.MissingDependency("pricng", known=["pricing"], path=CHECKOUT[:1], origin=AT)
    yield errors.ScopeLeak("pricing", "app", "basket", "request", origin=AT)
    yield errors.AnnotationUnresolved("Rates", "rates", path=("pricing",), origin=AT)
    yield errors.InvalidApplication(
        "shop", [errors.DependencyCycle(["pricing", "pricing"]), errors.UnknownSlot("chache", known=["cache"])]
    )


def running() -> Iterator[OneiricError]:
    """Build the errors of starting, serving and stopping."""
    yield errors.InvalidEvent("type", "it must be a text that is not empty")
    yield errors.BodyTooLarge(1_048_576)
    yield errors.PushAuthConfig()
    yield errors.NoActiveApplication(
        "handlers.orders:checkout", "slot cache", searched="the call, the task, the default"
    )
    yield errors.NeedsAsyncOpen("cache")
    yield errors.WrongLoop("cache", "the loop of MainThread", "the loop of worker-1")
    yield errors.ScopeClosed("basket", "request")
    yield errors.BuildFailed("cache", "oneiric.adapters.cache.redis:RedisCache", ValueError("hunter2"), path=CHECKOUT)
    yield errors.OpenTimeout("cache", 10.0)
    yield errors.StartFailed("slot cache", errors.Unavailable("connection refused", **WHERE), [ValueError("hunter2")])
    yield errors.HandlerFailed(["reserve", "notify"])


def swapping() -> Iterator[OneiricError]:
    """Build the errors of changes while an application serves, and of what is kept of them."""
    broken = errors.Unavailable("connection refused", **WHERE)
    yield errors.SwapFailed("build", [broken], slots=["cache.sessions"])
    yield errors.Unhealthy("cache.sessions", "the replica lags behind")
    yield errors.UnknownGeneration(77, [1, 2, 3])
    yield errors.NotRunning("orders", "a swap")
    yield errors.SeveralRunning("orders", [4101, 4102])
    yield errors.BadCommand("it is no JSON")
    yield errors.ControlUnavailable("/run/user/1000/oneiric/orders-4101.sock", "it does not answer in time")
    yield errors.StoreNewer(".oneiric/activity.sqlite", 3, 1)
    yield errors.StoreCorrupt(".oneiric/activity.sqlite", "the file is no SQLite database")
    yield errors.StoreUnavailable(".oneiric/activity.sqlite", "the disk is full")


def adapter() -> Iterator[OneiricError]:
    """Build the errors of calls to an adapter."""
    yield errors.AdapterError("the client raised KeyError", **WHERE)
    yield errors.NotFound("no such key", **WHERE)
    yield errors.Conflict("the version differs", **WHERE)
    yield errors.Denied("wrong password", **WHERE)
    yield errors.InvalidInput("a key has 1 to 512 bytes", **WHERE)
    yield errors.Unsupported("it lacks the capability sign", **WHERE)
    yield errors.NotOpen("call open first", **WHERE)
    yield errors.BadReply("no JSON", **WHERE)
    yield errors.NotInstalled("redis.asyncio", "redis", **WHERE)
    yield errors.Unavailable("connection refused", **WHERE)
    yield errors.TimedOut("after 5 s", **WHERE)
    yield errors.RateLimited("asked to wait 2 s", retry_after_s=2.0, **WHERE)
    yield errors.TransactionAborted("deadlock", **WHERE)
