"""Data sets: raw files become arrays on disk, and arrays become tasks. One module a data set."""
