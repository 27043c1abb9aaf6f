"""The commands. None of them looks anything up: what they need stands in their signature, and not in their help."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

from examples.stock.app import app
from examples.stock.articles import Articles
from examples.stock.settings import StockSettings
from examples.stock.shelf import CannotMove, Shelf
from oneiric import INJECTED, Inject, inject
from oneiric.adapters.storage import Storage
from oneiric.integrations.typer import attach

MAX_QUANTITY = 1_000_000
REFUSED = 1

program = typer.Typer(add_completion=False, no_args_is_help=True, help="A small inventory.")
attach(program, app)

Sku = Annotated[str, typer.Argument(help="the article's number")]
Quantity = Annotated[int, typer.Argument(min=1, max=MAX_QUANTITY, help="how many")]


@program.command()
@inject
async def receive(sku: Sku, quantity: Quantity, shelf: Inject[Shelf] = INJECTED) -> None:
    """Put an article on the shelf."""
    try:
        typer.echo(f"{sku}: {await shelf.receive(sku, quantity)}")
    except CannotMove as refused:
        raise _refusal(refused) from None


@program.command()
@inject
async def take(sku: Sku, quantity: Quantity, shelf: Inject[Shelf] = INJECTED) -> None:
    """Take an article from the shelf."""
    try:
        typer.echo(f"{sku}: {await shelf.take(sku, quantity)}")
    except CannotMove as refused:
        raise _refusal(refused) from None


@program.command()
@inject
async def pick(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="lines of the form SKU,QUANTITY")],
    shelf: Inject[Shelf] = INJECTED,
) -> None:
    """Take all that a file lists, or nothing."""
    try:
        for sku, quantity in csv.reader(file.read_text("utf-8").splitlines()):
            typer.echo(f"{sku}: {await shelf.take(sku, int(quantity))}")
    except CannotMove as refused:
        raise _refusal(refused) from None


@program.command()
@inject
async def levels(
    shelf: Inject[Shelf] = INJECTED,
    articles: Inject[Articles] = INJECTED,
    settings: Inject[StockSettings] = INJECTED,
) -> None:
    """Show how many there are of each article."""
    for sku, quantity in (await shelf.levels()).items():
        mark = "  low" if quantity < settings.low else ""
        typer.echo(f"{sku:<8}{quantity:>8}  {articles.names.get(sku, '?')}{mark}")


@program.command()
@inject
async def export(
    key: Annotated[str, typer.Argument(help="where to, such as monday.csv")],
    shelf: Inject[Shelf] = INJECTED,
    storage: Inject[Storage] = INJECTED,
) -> None:
    """Write the levels into the storage, as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("sku", "quantity"), *(await shelf.levels()).items()])
    stored = await storage.put(key, text.getvalue().encode(), content_type="text/csv")
    typer.echo(f"{stored.key}: {stored.size_bytes} bytes")


@program.command(name="articles")
@inject
def list_articles(articles: Inject[Articles] = INJECTED) -> None:
    """List the articles; a synchronous command gets what is open, as any other does."""
    for sku, name in sorted(articles.names.items()):
        typer.echo(f"{sku:<8}{name}")


def _refusal(refused: CannotMove) -> typer.Exit:
    """Say why on standard error; an exit other than 0 also rolls the shelf back."""
    typer.echo(refused.reason, err=True)
    return typer.Exit(REFUSED)
