"""A small inventory on the command line: `python -m examples.stock --help`."""
