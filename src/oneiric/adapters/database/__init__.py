"""The category `database`: SQL with `:name` parameters, rows as mappings, transactions."""

from __future__ import annotations

from oneiric.adapters.database.common import Database, Params, Row

__all__ = ["Database", "Params", "Row"]
