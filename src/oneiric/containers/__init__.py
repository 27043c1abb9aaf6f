"""The heart: containers with ranked layers, injection, and the explanation of every choice."""
