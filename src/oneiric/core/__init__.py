"""Floor 0 and 1: what every other part of Oneiric stands on; knows no container and no adapter."""
