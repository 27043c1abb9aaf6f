"""Adapters, one folder per category; each knows core and its category's `common.py`, and no container."""
