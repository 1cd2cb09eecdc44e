"""Published weights of networks: which files there are, where they lie, how they are fetched.

A file lies in the folder `weights` of `$BENCH_MIRROR`, or in `raw/weights` of the data folder. The
data folder is an argument wherever weights are used: their content decides the keys of results, so
a plan must not depend on who makes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.data.raw import MIRROR, RawFile, RawFolder
from bench.errors import DataError, Skip, UsageError, unknown

ROOM = "weights"
GITHUB = "https://raw.githubusercontent.com"
HEADS = (
    f"{GITHUB}/richzhang/PerceptualSimilarity/082bb24f84c091ea94de2867d34c4544f68e0963"
    "/lpips/weights/v0.1"
)
TORCHVISION = "https://download.pytorch.org/models"


def _classifier(file: str, sha256: str) -> RawFile:
    """A file of torchvision, or any other that is named after the same classifier."""
    name = file.partition("-")[0]
    others = (f"{name}*.safetensors", f"{name}*.pth")
    return RawFile(file, f"{TORCHVISION}/{file}", sha256, others=others)


def _heads(network: str, sha256: str) -> RawFile:
    """The weights of LPIPS for the features of a network."""
    return RawFile(f"lpips_v0.1_{network}.pth", f"{HEADS}/{network}.pth", sha256)


FILES = {
    "squeezenet1_1": _classifier(
        "squeezenet1_1-b8a52dc0.pth",
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
    ),
    "alexnet": _classifier(
        "alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    "vgg16": _classifier(
        "vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
    ),
    "resnet50": _classifier(  # IMAGENET1K_V1, the file there was when the papers were written
        "resnet50-0676ba61.pth", "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"
    ),
    "lpips_squeeze": _heads(
        "squeeze", "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76"
    ),
    "lpips_alex": _heads(
        "alex", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"
    ),
    "lpips_vgg": _heads("vgg", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
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
"""The files by the name that `bench data get weights/NAME` takes."""
CONSENT = {"pieapp": "for non-commercial use only, its authors say"}
"""What a person must agree to before a file is fetched."""
MIT = ("dists",)
"""Files under the MIT licence; those that are neither here nor in CONSENT are under BSD."""


class MissingWeights(Skip):
    """A network's weights are not on this machine; the message names the file and its place."""


@dataclass(frozen=True)
class WeightsFolder:
    """Where files of weights are looked for: in the mirror first, then in the data folder.

    Attributes:
        data: the data folder; None leaves the mirror alone.
    """

    data: Path | None = None

    def raw(self, *names: str) -> RawFolder:
        """The files of these names as a folder of raw files."""
        downloads = self.data / "raw" if self.data else Path(os.devnull)
        return RawFolder(ROOM, tuple(FILES[name] for name in names), downloads)

    def where(self, name: str) -> Path | None:
        """The path of a file, or None where it is missing."""
        return self.raw(name).where(FILES[name].name)

    def find(self, name: str, what: str) -> Path:
        """The path of a file. Raises MissingWeights, which says that `what` needs it."""
        if path := self.where(name):
            return path
        file = FILES[name].name
        # Not the folders' full names: the sentence ends on pages that are published.
        mirrored = len(self.raw(name).folders) > 1
        looked = f"neither in ${MIRROR}/{ROOM} nor" if mirrored else "not"
        raise MissingWeights(
            f"{what} needs {file}, which is {looked} in raw/{ROOM} of the data folder. Run "
            f"`bench data get {ROOM}/{name}`, or put it there; {MIRROR} may name a mirror."
        )

    def present(self, names: Iterable[str]) -> tuple[Path, ...]:
        """The paths of those of these files that exist, each once, in the order of `names`."""
        return tuple(path for name in dict.fromkeys(names) if (path := self.where(name)))

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of these names whose files do not exist."""
        return tuple(name for name in names if not self.where(name))

    def described(self, names: Iterable[str]) -> str:
        """Say in a result, for each of these files that exists, whether it is the official one."""
        existing = (name for name in names if self.where(name))
        return "; ".join(f"{r.name}: {r.verdict}" for r in self.raw(*existing).records())

    def get(self, name: str, accept_licence: bool = False) -> list[Path]:
        """Fetch a file, checked against its SHA-256; the list is empty where it exists already.

        Raises:
            UsageError: the name is unknown, or the licence needs consent and none is given.
            DataError: the file cannot be fetched.
        """
        if name not in FILES:
            raise UsageError(unknown("weights", name, FILES))
        folder = self.raw(name)
        if folder.missing() and name in CONSENT and not accept_licence:
            raise UsageError(
                f"{ROOM}/{name}: {CONSENT[name]}. Run `bench data get {ROOM}/{name} "
                f"--accept-licence` once you agree, or put {FILES[name].name} into "
                f"{folder.downloads}."
            )
        return folder.download()

    def listing(self) -> list[tuple[str, str]]:
        """Every file by name, with its path, "missing", or what is wrong with it."""
        rows = []
        for name in FILES:
            try:
                rows.append((name, str(self.where(name) or "missing")))
            except DataError as error:
                rows.append((name, f"damaged: {error}"))
        return rows


MIRROR_ALONE = WeightsFolder()
"""Finds the files of the mirror; where there is no mirror, every file is missing."""


def licence(name: str) -> str:
    """The terms under which a file is published."""
    return CONSENT.get(name, "MIT" if name in MIT else "BSD")
