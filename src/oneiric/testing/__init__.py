"""
What tests of an application or of an adapter take from Oneiric.

`plugin` is the pytest plugin, `contracts` are suites to inherit, and `clock`, `outbox`, `canned` and `fake_secrets` are
fakes of what the embedded adapters cannot stand in for.
"""
