"""Applications to read and to run: `orders` takes orders, `demo` shows it at work."""
