"""An order as it comes in, and what makes it invalid."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_LINES = 100
MAX_QUANTITY = 1_000


class InvalidOrder(Exception):
    """What came is no order; `reason` says why in one line, without what was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Line(BaseModel):
    """One article of an order, 1 to 1,000 of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    sku: str = Field(pattern=r"^[A-Z]{2,20}$")
    quantity: int = Field(ge=1, le=MAX_QUANTITY)


class Order(BaseModel):
    """
    What a customer wants.

    Attributes:
        number: The shop's own key of the order, such as `A-1001`; a second order of that number is a duplicate.
        customer: The customer's short name.
        lines: 1 to 100 articles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    number: str = Field(pattern=r"^[A-Z]-[0-9]{4,8}$")
    customer: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    lines: list[Line] = Field(min_length=1, max_length=MAX_LINES)


def read_order(data: object) -> Order:
    """
    Return the order in an event's data.

    Raises:
        InvalidOrder: It is none; the reason names the first field at fault.
    """
    try:
        return Order.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "order"
        raise InvalidOrder(f"{where}: {first['msg']}") from None
