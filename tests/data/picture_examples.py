"""Small raw files of the picture data sets, in their exact official layouts, built by code."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.celeba import ATTRIBUTES
from bench.data.dataset import Library

# As the header of the official file has them.
HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes "
    "No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling "
    "Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
FACES = 48
SPLIT_OF_FACE = [0] * 24 + [1] * 12 + [2] * 12


def jpeg(width: int, height: int, colour: int, mode: str = "RGB") -> bytes:
    """A picture of one grey `colour`, with a black frame of 20 rows above and below."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[20 : height - 20] = colour
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


def celeba_signs() -> np.ndarray:
    """[faces, 40] of 1 and -1: every two attributes of Table 2 meet in all four ways."""
    bits = np.random.default_rng(1).integers(0, 2, (FACES, len(ATTRIBUTES)))
    targets = [ATTRIBUTES.index(name) for name in ("attractive", "gray_hair", "wavy_hair")]
    faces = np.arange(FACES)
    bits[:, targets] = (faces % 2)[:, None]
    bits[:, [ATTRIBUTES.index("male"), ATTRIBUTES.index("young")]] = (faces // 2 % 2)[:, None]
    return 2 * bits - 1


def face_name(number: int) -> str:
    """000001.jpg is the first."""
    return f"{number + 1:06}.jpg"


def celeba_files() -> dict[str, str | bytes]:
    """Content of the three raw files; the zip's pictures are grey of 4 * number."""
    names = [face_name(i) for i in range(FACES)]
    rows = [
        f"{name} {' '.join(f'{sign:>2}' for sign in signs)}"
        for name, signs in zip(names, celeba_signs(), strict=True)
    ]
    parts = [f"{name} {part}" for name, part in zip(names, SPLIT_OF_FACE, strict=True)]
    pictures = {f"img_align_celeba/{name}": jpeg(178, 218, 4 * i) for i, name in enumerate(names)}
    return {
        "list_attr_celeba.txt": "\n".join([str(FACES), HEADER, *rows]) + "\n",
        "list_eval_partition.txt": "\n".join(parts) + "\n",
        "img_align_celeba.zip": zipped({"img_align_celeba/": b"", **pictures}),
    }


def write_celeba(library: Library, **changed: str | bytes) -> Path:
    """The three files; `zip=`, `attr=` or `partition=` change one."""
    words = {"zip": ".zip", "attr": "list_attr", "partition": "list_eval"}
    folder = library.folder / "raw" / "celeba"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in celeba_files().items():
        new = next((v for k, v in changed.items() if words[k] in name), content)
        (folder / name).write_bytes(new.encode() if isinstance(new, str) else new)
    return folder


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive; names that end in / are folders."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


AGES = (1, 26, 33, 35, 36, 58, 60, 116)
MALFORMED = (
    "39_1_20170116174525125.jpg.chip.jpg",  # as in the release: no gender
    "61_1_20170109142408075.jpg.chip.jpg",
    "61_3_20170109150557335.jpg.chip.jpg",
)


def utkface_names() -> list[str]:
    """60 faces of each age in AGES, genders 0 and 1, races 0 to 4 (a fifth of them white)."""
    return [
        f"{age}_{i % 2}_{i // 2 % 5}_2017010{1 + i % 9}{number:02}{i:07}.jpg.chip.jpg"
        for number, age in enumerate(AGES)
        for i in range(60)
    ]


def utkface_pictures() -> dict[str, bytes]:
    """Well-named pictures; their grey value is twice the age."""
    by_age = {str(age): jpeg(200, 200, 2 * age) for age in AGES}
    return {f"UTKFace/{name}": by_age[name.split("_")[0]] for name in utkface_names()}


def write_utkface(library: Library, extra: Mapping[str, bytes] | None = None) -> Path:
    """UTKFace.tar.gz with the pictures and what else is asked for."""
    folder = library.folder / "raw" / "utkface"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "UTKFace.tar.gz").write_bytes(tarred({**utkface_pictures(), **(extra or {})}))
    return folder


def idx(values: np.ndarray) -> bytes:
    """An idx file of unsigned bytes."""
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


def mnist_files() -> dict[str, bytes]:
    """1,200 training and 300 test digits; digit d is a bar of grey value 20 + 23 d."""
    files = {}
    for part, count in (("train", 1200), ("t10k", 300)):
        labels = np.arange(count) % 10
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 4:24, 12:16] = (20 + 23 * labels)[:, None, None]
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx(images))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels))
    return files


def write_mnist(library: Library, **changed: bytes) -> Path:
    """The four files; `train_images=...` and the like change one."""
    folder = library.folder / "raw" / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in mnist_files().items():
        part, what, _ = name.split("-", 2)
        (folder / name).write_bytes(changed.get(f"{part}_{what}", content))
    return folder


def cifar10_batch(count: int, start: int = 0) -> bytes:
    """Records of one label byte, then 1,024 red, green and blue values each."""
    labels = (np.arange(count) + start) % 10
    planes = np.stack([10 * labels, 100 + labels, 200 + labels], axis=1)
    pixels = np.repeat(planes, 1024, axis=1)
    return np.hstack([labels[:, None], pixels]).astype(np.uint8).tobytes()


def cifar10_files() -> dict[str, bytes]:
    """Two of the five training batches, and the test batch."""
    return {
        "cifar-10-batches-bin/data_batch_1.bin": cifar10_batch(600),
        "cifar-10-batches-bin/data_batch_2.bin": cifar10_batch(400, 600),
        "cifar-10-batches-bin/test_batch.bin": cifar10_batch(300),
        "cifar-10-batches-bin/batches.meta.txt": b"airplane\nautomobile\n",
    }


def write_cifar10(library: Library, files: Mapping[str, bytes] | None = None) -> Path:
    """cifar-10-binary.tar.gz."""
    folder = library.folder / "raw" / "cifar10"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cifar-10-binary.tar.gz").write_bytes(
        tarred(cifar10_files() if files is None else files)
    )
    return folder


CT_COUNTS = {"train": 12, "val": 6, "test": 6}


def ct_name(of: str, part: str, number: int) -> str:
    """As in the release: dots, dashes and per cent signs for COVID, plain numbers for the rest."""
    if of == "COVID":
        return f"2020.02.{number:02}.{part}-p10-{number}%0.png"
    return f"{part}{number}.jpg"


def covid_ct_files() -> dict[str, str | bytes]:
    """The two zips and six lists; COVID's pictures are grey of 200, the others of 60."""
    files: dict[str, str | bytes] = {}
    for of, grey in (("COVID", 200), ("NonCOVID", 60)):
        names = {part: [ct_name(of, part, i) for i in range(n)] for part, n in CT_COUNTS.items()}
        scan = jpeg(300, 200, grey)
        pictures = {f"CT_{of}/{name}": scan for part in names.values() for name in part}
        files[f"CT_{of}.zip"] = zipped({f"CT_{of}/": b"", **pictures, "__MACOSX/._x.png": b"x"})
        for part, listed in names.items():
            files[f"{part}CT_{of}.txt"] = "\n".join(listed)  # the last line is without its end
    return files


def write_covid_ct(library: Library, **changed: str | bytes) -> Path:
    """The eight files; `CT_COVID=...`, `trainCT_COVID=...` and the like change one."""
    folder = library.folder / "raw" / "covid_ct"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in covid_ct_files().items():
        new = changed.get(name.partition(".")[0], content)
        (folder / name).write_bytes(new.encode() if isinstance(new, str) else new)
    return folder


WORDNET = ("n01440764", "n02102040", "n03888257")


def imagenet200_files() -> dict[str, bytes]:
    """Three classes of 20 training and 5 test pictures of 64 x 48 pixels, grey of 60 and more."""
    return {
        f"imagenet200/{part}/{name}/{name}_{i}.JPEG": jpeg(64, 48, 60 + 60 * number)
        for part, count in (("train", 20), ("test", 5))
        for number, name in enumerate(WORDNET)
        for i in range(count)
    }


def write_imagenet200(library: Library, files: Mapping[str, bytes] | None = None) -> Path:
    """imagenet200.tar."""
    folder = library.folder / "raw" / "imagenet200"
    folder.mkdir(parents=True, exist_ok=True)
    content = tarred(imagenet200_files() if files is None else files, "w")
    (folder / "imagenet200.tar").write_bytes(content)
    return folder
