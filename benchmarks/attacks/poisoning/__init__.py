"""Poisoning attacks, one file each; each poisons a training set once, as a data supplier could."""
