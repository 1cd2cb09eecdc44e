"""Leaderboards: ranks, verdicts in words, published figures, costs and long tables."""
