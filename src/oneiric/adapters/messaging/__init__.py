"""Notifications to people: the `Messaging` Protocol and its value types."""

from __future__ import annotations

from oneiric.adapters.messaging.common import Attachment, Messaging, NotificationMessage, Receipt, Severity

__all__ = ["Attachment", "Messaging", "NotificationMessage", "Receipt", "Severity"]
