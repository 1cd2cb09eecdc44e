"""Data sets: raw files -> arrays on disk -> tasks. One file a data set, found by its name."""
