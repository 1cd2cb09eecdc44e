"""The baselines that the methods are compared with, one file each."""
