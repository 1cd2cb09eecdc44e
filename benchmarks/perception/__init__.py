"""Perceptual differences between images, and what their computation needs."""
