"""One-dimensional convolutional networks for sound, text and network traffic.

LABOR takes "a 1D CNN" for these (section 4.1.2) and gives no layers; these are ours.
"""

from __future__ import annotations

from torch import Tensor, nn

Parts = tuple[nn.Module, nn.Module, nn.Linear]
"""Encoder, neck and head."""


class Embedded(nn.Module):
    """Token ids [n, length] -> vectors [n, width, length]; id 0 pads and stays zero."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(words, width, padding_idx=0)

    def forward(self, x: Tensor) -> Tensor:
        """Look up."""
        return self.table(x.long()).transpose(1, 2)


class OneChannel(nn.Module):
    """Rows [n, features] -> [n, 1, features]."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the channel."""
        return x[:, None, :]


def sound_cnn(shape: tuple[int, ...], outputs: int) -> Parts:
    """Over log-mel frames ([mels, frames]): three convolutions in time, then the loudest of each.

    Args:
        shape: (mels, frames).
        outputs: classes.
    """
    encoder = nn.Sequential(
        nn.Conv1d(shape[0], 64, 5, padding=2),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(64, 128, 3, padding=1),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(128, 128, 3, padding=1),
        nn.ReLU(),
    )
    neck = nn.Sequential(nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(4 * 128, 128), nn.ReLU())
    return encoder, neck, nn.Linear(128, outputs)


def text_cnn(shape: tuple[int, ...], outputs: int) -> Parts:
    """Over words: an embedding of 100, convolutions over five words, then the strongest of each.

    Args:
        shape: (length, words in the vocabulary).
        outputs: classes.
    """
    encoder = nn.Sequential(Embedded(shape[1], 100), nn.Conv1d(100, 128, 5, padding=2), nn.ReLU())
    neck = nn.Sequential(
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5)
    )
    return encoder, neck, nn.Linear(64, outputs)


def traffic_cnn(shape: tuple[int, ...], outputs: int) -> Parts:
    """Over the features of a flow, in their order.

    Args:
        shape: (features,).
        outputs: classes.
    """
    encoder = nn.Sequential(
        OneChannel(),
        nn.Conv1d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(32, 64, 3, padding=1),
        nn.ReLU(),
    )
    neck = nn.Sequential(nn.Flatten(), nn.Linear(64 * shape[0], 128), nn.ReLU())
    return encoder, neck, nn.Linear(128, outputs)
