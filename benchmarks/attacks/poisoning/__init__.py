"""Poisoning attacks, a file each: static poisoned sets, as data that comes from a third party."""
