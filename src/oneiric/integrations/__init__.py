"""One file for each framework: the application of its calls, their scope, and the start and stop around them."""
