"""The application: what it makes itself; adapters and their settings come from the configuration."""

from __future__ import annotations

from examples.stock.articles import articles
from examples.stock.settings import StockSettings
from examples.stock.shelf import shelf
from oneiric import Application

app = Application("stock")

app.settings(StockSettings)
app.provide("articles")(articles)
app.provide("shelf", scope="request")(shelf)
