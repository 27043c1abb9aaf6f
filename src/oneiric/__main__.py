"""`python -m oneiric`."""

from __future__ import annotations

from oneiric.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
