"""Figures: each kind says what to draw, and one renderer draws it as SVG."""
