"""Category `queue`: messages that wait until somebody has dealt with them."""

from __future__ import annotations

from oneiric.adapters.queue.common import Delivery, Queue, Settlement

__all__ = ["Delivery", "Queue", "Settlement"]
