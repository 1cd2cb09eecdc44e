"""Measurements of speed: `make bench-speed`."""
