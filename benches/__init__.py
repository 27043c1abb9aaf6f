"""The speed budgets, each measured against its yardstick in the same run: `python -m benches`."""
