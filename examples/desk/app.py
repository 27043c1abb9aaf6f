"""The application: what it makes itself; adapters and their settings come from the configuration."""

from __future__ import annotations

from examples.desk.tickets import ticket_table, tickets
from examples.desk.triage import triage
from oneiric import Application

app = Application("desk")

app.provide("ticket_table")(ticket_table)
app.provide("tickets", scope="request")(tickets)
app.provide("triage")(triage)
