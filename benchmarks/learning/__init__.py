"""Backbones, the one training loop, losses and the selection of epochs."""
