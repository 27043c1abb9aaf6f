"""The engine, and our extension of it: ranked slots, adapter providers and the catalog of adapters."""
