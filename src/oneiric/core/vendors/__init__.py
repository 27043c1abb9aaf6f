"""What several adapters of one vendor or one engine share; adapters never import each other."""
