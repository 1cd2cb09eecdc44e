"""The training loop that all methods share, its data, losses and the selection of epochs."""
