"""The application over HTTP: probes, and the push routes that events come in by."""
