"""Prepared arrays: whole or not at all, and damage is named with its remedy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bench.data import prepared
from bench.data.colouring import CorrelationOptions
from bench.data.dataset import Library, data_set
from bench.data.prepared import SPLITS, Arrays, Columns
from bench.errors import DataError

ABOUT = {"name": "toy", "title": "Toy", "revision": 1, "kind": "table", "raw": []}
REMEDY = "Run `bench data prepare digits`."


def arrays(value: float = 1.0) -> Arrays:
    columns = Columns(np.full((2, 3), value, np.float32), {"y": np.array([0, 1])})
    return Arrays(splits=dict.fromkeys(SPLITS, columns), attributes={"y": ["no", "yes"]})


@pytest.fixture
def digits(library: Library) -> Path:
    """The folder of the prepared digits."""
    library.prepare("digits")
    return library.prepared_folder("digits")


def splits(library: Library) -> object:
    return library.splits("digits", "parity|ink", CorrelationOptions())


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    meta = prepared.write(folder, arrays(2.5), ABOUT)
    assert prepared.read_meta(folder) == meta
    assert meta.sizes == {"train": 2, "validation": 2, "test": 2}
    assert meta.shape == [3]
    split = prepared.read_split(folder, meta, "test")
    assert split.x.tolist() == [[2.5] * 3] * 2
    assert split.attributes["y"].tolist() == [0, 1]


def test_the_hash_changes_with_values_types_and_shapes(tmp_path: Path) -> None:
    made = [arrays(1.0), arrays(2.0)]
    for x in (np.ones((2, 3), np.float64), np.ones((3, 2), np.float32)):
        columns = Columns(x, {"y": np.array([0, 1])})
        made.append(Arrays(dict.fromkeys(SPLITS, columns), {"y": ["no", "yes"]}))
    hashes = [prepared.write(tmp_path / str(i), a, ABOUT).hash for i, a in enumerate(made)]
    assert len(set(hashes)) == 4


@pytest.mark.parametrize("file", ["train.x.npy", "validation.digit.npy"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "words"])
def test_a_damaged_array_is_named_with_its_remedy(
    library: Library, digits: Path, file: str, damage: str
) -> None:
    path = digits / file
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut": content[:-8], "empty": b"", "words": b"hello"}[damage])
    with pytest.raises(DataError) as error:
        splits(library)
    assert str(error.value).startswith(f"{path}: cannot be read (")
    assert str(error.value).endswith(REMEDY)
    library.prepare("digits")
    splits(library)


@pytest.mark.parametrize("content", [b"", b"{", b'{"name": "digits"}', b"\xff\xfe"])
def test_a_damaged_description_is_named_with_its_remedy(
    library: Library, digits: Path, content: bytes
) -> None:
    (digits / "meta.json").write_bytes(content)
    with pytest.raises(DataError) as error:
        library.meta("digits")
    assert str(error.value) == f"{digits}/meta.json: damaged. {REMEDY}"
    library.prepare("digits")
    assert library.meta("digits") is not None


def test_data_that_is_not_prepared_says_how_to_prepare_it(library: Library) -> None:
    with pytest.raises(DataError, match=r"digits is not prepared. Run `bench data prepare digits`"):
        splits(library)


def test_a_raised_revision_makes_prepared_data_anew(
    library: Library, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digits / "old").write_text("stays while the revision does")
    library.ensure("digits")
    assert (digits / "old").exists()
    monkeypatch.setattr(type(data_set("digits")), "revision", 99)
    assert library.meta("digits") is None
    assert library.ensure("digits").revision == 99
    assert not (digits / "old").exists()


def test_a_copy_whose_revision_is_called_recipe_counts(library: Library, digits: Path) -> None:
    before = library.meta("digits")
    path = digits / "meta.json"
    path.write_text(path.read_text().replace('"revision"', '"recipe"'))
    assert '"recipe": 3' in path.read_text()
    assert library.meta("digits") == before


def test_the_hash_of_sounds_covers_the_revision_in_the_bytes_it_always_had(tmp_path: Path) -> None:
    expected = hashlib.sha256(b"recipe:7;")
    for split in prepared.SPLITS:
        columns = arrays(1.0).splits[split]
        for name, array in [("x", columns.x), *sorted(columns.attributes.items())]:
            expected.update(f"{split}.{name}:{array.dtype}:{array.shape};".encode())
            expected.update(array.tobytes())
    about = {**ABOUT, "revision": 7}
    sound = prepared.write(tmp_path / "a", arrays(1.0), {**about, "kind": "sound"})
    assert sound.hash == expected.hexdigest()
    assert prepared.write(tmp_path / "b", arrays(1.0), about).hash != sound.hash


def test_an_exception_in_the_middle_of_writing_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "toy"
    old = prepared.write(folder, arrays(1.0), ABOUT)
    save, calls = np.save, []

    def full_disk(*args: object, **kwargs: object) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise OSError("No space left on device")
        save(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        prepared.write(folder, arrays(2.0), ABOUT)
    assert prepared.read_meta(folder) == old
    assert prepared.read_split(folder, old, "train").x[0, 0] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_failing_rename_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "toy"
    old = prepared.write(folder, arrays(1.0), ABOUT)
    rename, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise PermissionError("not allowed")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(PermissionError):
        prepared.write(folder, arrays(2.0), ABOUT)
    assert prepared.read_meta(folder) == old
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".toy.k1ll3d").mkdir()
    (tmp_path / ".toy.k1ll3d" / "train.x.npy").write_bytes(b"half")
    (tmp_path / ".other.k1ll3d").mkdir()
    prepared.write(tmp_path / "toy", arrays(), ABOUT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.k1ll3d", "toy"]


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError, match=r"data/prepared: cannot write here \(Not a directory\)"):
        Library(tmp_path / "data").prepare("digits")
