"""Damaged and hostile inputs, made up at random: each ends in a result or in one line.

`make test` tries a few of them, always the same; `make fuzz FUZZ=200` tries so many a target, which
differ from run to run. An input that fails is printed by Hypothesis as small as it gets, and
belongs, by hand, into a test of its own.
"""
