"""Weights of the networks that judge images: where they are looked for and how they are fetched.

They stand in the folder `weights` of `$BENCH_MIRROR`, or in `raw/weights` of the data folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from bench.data.raw import MIRROR, RawFile, RawFolder, RawRecord
from bench.errors import DataError, Skip, UsageError, unknown

ROOM = "weights"
DATA = "BENCH_DATA"
GITHUB = "https://raw.githubusercontent.com"
HEADS = (
    f"{GITHUB}/richzhang/PerceptualSimilarity/082bb24f84c091ea94de2867d34c4544f68e0963"
    "/lpips/weights/v0.1"
)
TORCHVISION = "https://download.pytorch.org/models"

FILES = {
    "squeezenet1_1": RawFile(
        "squeezenet1_1-b8a52dc0.pth",
        f"{TORCHVISION}/squeezenet1_1-b8a52dc0.pth",
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        others=("squeezenet1_1*.safetensors", "squeezenet1_1*.pth"),
    ),
    "alexnet": RawFile(
        "alexnet-owt-7be5be79.pth",
        f"{TORCHVISION}/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        others=("alexnet*.safetensors", "alexnet*.pth"),
    ),
    "vgg16": RawFile(
        "vgg16-397923af.pth",
        f"{TORCHVISION}/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        others=("vgg16*.safetensors", "vgg16*.pth"),
    ),
    "resnet50": RawFile(
        "resnet50-0676ba61.pth",  # IMAGENET1K_V1, the file there was when the papers were written
        f"{TORCHVISION}/resnet50-0676ba61.pth",
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        others=("resnet50*.safetensors", "resnet50*.pth"),
    ),
    "lpips_squeeze": RawFile(
        "lpips_v0.1_squeeze.pth",
        f"{HEADS}/squeeze.pth",
        "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
    ),
    "lpips_alex": RawFile(
        "lpips_v0.1_alex.pth",
        f"{HEADS}/alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    ),
    "lpips_vgg": RawFile(
        "lpips_v0.1_vgg.pth",
        f"{HEADS}/vgg.pth",
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    ),
    "dists": RawFile(
        "dists_weights.pt",
        f"{GITHUB}/dingkeyan93/DISTS/1267d8cb626c98706db3697422701c56a85ebf2e/DISTS_pytorch/weights.pt",
        "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    ),
    "pieapp": RawFile(
        "PieAPPv0.1.pth",
        "https://github.com/photosynthesis-team/piq/releases/download/v0.5.4/PieAPPv0.1.pth",
        "0937b01480c7a637ae3018af755faa8ecde4788b52bb246b7ae62cf96fb6baf0",
    ),
}
"""By the name that `bench data get weights/NAME` takes."""
CONSENT = {"pieapp": "for non-commercial use only, its authors say"}
"""What a person must agree to before a file is fetched."""
MIT = ("dists",)

_data: ContextVar[Path | None] = ContextVar("folder of data", default=None)


class MissingWeights(Skip):
    """A network's weights are nowhere on this machine; the message says what to put where."""


@contextmanager
def beside(data: Path) -> Iterator[None]:
    """Within, weights are looked for in this data folder and in the mirror."""
    token = _data.set(data)
    try:
        yield
    finally:
        _data.reset(token)


def folder(names: tuple[str, ...] = tuple(FILES), data: Path | None = None) -> RawFolder:
    """The folder of weights, as one of raw files.

    Args:
        names: which files it should have.
        data: the data folder; by default the one of `beside`, $BENCH_DATA or ./data.
    """
    place = data or _data.get() or Path(os.environ.get(DATA, "data"))
    return RawFolder(ROOM, tuple(FILES[name] for name in names), place / "raw")


def find(name: str, what: str) -> Path:
    """Where a file of weights stands. Raises MissingWeights, naming `what` needs it."""
    file, room = FILES[name], folder((name,))
    if place := room.where(file.name):
        return place
    # Not the folders' full names: the sentence ends on pages that are published.
    mirrored = len(room.folders) > 1
    looked = f"neither in ${MIRROR}/{ROOM} nor" if mirrored else "not"
    raise MissingWeights(
        f"{what} needs {file.name}, which is {looked} in raw/{ROOM} of the data folder. Run "
        f"`bench data get {ROOM}/{name}`, or put it there; {MIRROR} may name a mirror."
    )


def present(names: Iterable[str]) -> tuple[Path, ...]:
    """Where those of these files stand that are here, each once, in the order of their names."""
    found = (folder((name,)).where(FILES[name].name) for name in dict.fromkeys(names))
    return tuple(path for path in found if path)


def missing(names: Iterable[str]) -> tuple[str, ...]:
    """Those of these files that are nowhere on this machine."""
    return tuple(name for name in names if not folder((name,)).where(FILES[name].name))


def records(names: tuple[str, ...]) -> list[RawRecord]:
    """Files of weights that are here, each with its checksum and whether it is the official one."""
    found = tuple(name for name in names if folder((name,)).where(FILES[name].name))
    return folder(found).records()


def described(names: tuple[str, ...]) -> str:
    """Files of weights that are here, in words, for a result: whether they are official."""
    return "; ".join(f"{record.name}: {record.verdict}" for record in records(names))


def get(name: str, data: Path, accept_licence: bool = False) -> list[Path]:
    """Fetch a file of weights, checked against its SHA-256.

    Raises:
        UsageError: the name is unknown, or its licence wants consent and none is given.
        DataError: it cannot be fetched.
    """
    if name not in FILES:
        raise UsageError(unknown("weights", name, FILES))
    room = folder((name,), data)
    if room.missing() and name in CONSENT and not accept_licence:
        raise UsageError(
            f"{ROOM}/{name}: {CONSENT[name]}. Run `bench data get {ROOM}/{name} --accept-licence` "
            f"once you agree, or put {FILES[name].name} into {room.downloads}."
        )
    return room.download()


def licence(name: str) -> str:
    """Under what terms a file is published."""
    return CONSENT.get(name, "MIT" if name in MIT else "BSD")


def listing(data: Path) -> list[tuple[str, str]]:
    """Every file of weights by name, and whether it is here."""
    rows = []
    for name, file in FILES.items():
        try:
            place = folder((name,), data).where(file.name)
        except DataError as error:
            rows.append((name, f"damaged: {error}"))
        else:
            rows.append((name, str(place) if place else "missing"))
    return rows
