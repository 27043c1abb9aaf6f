"""An application whose module prints while it is imported."""

from __future__ import annotations

from oneiric import Application

print("the shop opens")
app = Application("talking")
