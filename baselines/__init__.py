"""The baselines they are compared with, one file each."""
