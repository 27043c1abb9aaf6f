"""Manifests from outside the code: the one that the build packed, and those that are fetched."""
