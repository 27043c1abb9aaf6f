"""What is in the order book, read from its SQLite file by another process: `python -m examples.orders.report FILE`."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path


def report(path: Path) -> dict[str, int]:
    """
    Return how many orders were accepted, duplicate and rejected, and the sum of the accepted ones in cents.

    Raises:
        sqlite3.Error: The file is no order book.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        accepted, duplicates, total_cents = connection.execute(
            "SELECT count(*), coalesce(sum(duplicates), 0), coalesce(sum(total_cents), 0) FROM orders"
        ).fetchone()
        (rejected,) = connection.execute("SELECT count(*) FROM rejections").fetchone()
    return {"accepted": accepted, "duplicates": duplicates, "rejected": rejected, "total_cents": total_cents}


if __name__ == "__main__":
    print(json.dumps(report(Path(sys.argv[1]))))
