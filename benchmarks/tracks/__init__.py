"""Tracks: kinds of contest, each with its contract, its judge and its metrics."""
