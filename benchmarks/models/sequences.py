"""One-dimensional convolutional networks for sound, text and network traffic.

LABOR uses "a 1D CNN" for these (section 4.1.2) and specifies no layers; the layers are ours.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.models.networks import Parts


class Embedded(nn.Module):
    """Token ids, [n, length] -> vectors, [n, width, length]; padding (id 0) stays zero."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(words, width, padding_idx=0)

    def forward(self, x: Tensor) -> Tensor:
        """The embedding of each token."""
        return self.table(x.long()).transpose(1, 2)


def sound_cnn(shape: tuple[int, ...], outputs: int) -> Parts:
    """Three convolutions in time over log-mel frames, then the maximum in each quarter.

    Args:
        shape: (mels, frames).
        outputs: number of classes.
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
    return Parts(encoder, neck, nn.Linear(128, outputs))


def text_cnn(shape: tuple[int, ...], outputs: int) -> Parts:
    """A word embedding of width 100, convolutions over five words, then the maximum over time.

    Args:
        shape: (length, size of the vocabulary).
        outputs: number of classes.
    """
    encoder = nn.Sequential(Embedded(shape[1], 100), nn.Conv1d(100, 128, 5, padding=2), nn.ReLU())
    neck = nn.Sequential(
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5)
    )
    return Parts(encoder, neck, nn.Linear(64, outputs))


def traffic_cnn(shape: tuple[int, ...], outputs: int) -> Parts:
    """Two convolutions over the features of a network flow, in their order.

    Args:
        shape: (features,).
        outputs: number of classes.
    """
    encoder = nn.Sequential(
        nn.Unflatten(1, (1, shape[0])),
        nn.Conv1d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(32, 64, 3, padding=1),
        nn.ReLU(),
    )
    neck = nn.Sequential(nn.Flatten(), nn.Linear(64 * shape[0], 128), nn.ReLU())
    return Parts(encoder, neck, nn.Linear(128, outputs))
