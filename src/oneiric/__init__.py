"""Oneiric: a dependency-injection container framework."""
