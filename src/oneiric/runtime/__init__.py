"""What happens over time: start and stop, events, and the process around an application."""
