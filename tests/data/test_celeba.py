"""CelebA in its official layout: count line, 40 attributes of 1 and -1, partition, zip of JPEGs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.data.celeba import ATTRIBUTES, FIGURE_3, PAPER_TASKS, TIED_TO_GENDER, CelebaOptions
from bench.data.dataset import Library, data_set
from bench.errors import DataError, UsageError
from tests.data.picture_examples import (
    FACES,
    HEADER,
    SPLIT_OF_FACE,
    celeba_files,
    celeba_signs,
    face_name,
    jpeg,
    write_celeba,
    zipped,
)
from tests.data.raw_examples import assert_nothing_is_left
from tests.sentences import assert_says

TEXT = {name: text for name, text in celeba_files().items() if isinstance(text, str)}
ATTR, PARTITION = TEXT["list_attr_celeba.txt"], TEXT["list_eval_partition.txt"]


def test_attributes_and_pictures_stand_in_their_rows(example_pictures: Library) -> None:
    signs = celeba_signs()
    for task in ("attractive|male", "smiling|young", "male|eyeglasses"):
        target, bias = task.split("|")
        splits = example_pictures.splits("celeba", task, CelebaOptions())
        for number, split in enumerate(("train", "validation", "test")):
            rows = [i for i, part in enumerate(SPLIT_OF_FACE) if part == number]
            found = splits[split]
            assert found.y.tolist() == (signs[rows, ATTRIBUTES.index(target)] == 1).tolist()
            assert found.b.tolist() == (signs[rows, ATTRIBUTES.index(bias)] == 1).tolist()
            grey = found.x[:, 0, 64, 64].astype(int)
            assert np.abs(grey - 4 * np.array(rows)).max() <= 2


def test_the_central_square_is_taken_and_scaled(example_pictures: Library) -> None:
    # The black frame of 20 rows above and below is just what the crop of 178 x 178 leaves out.
    x = example_pictures.splits("celeba", "attractive|male", CelebaOptions())["test"].x
    assert x.shape == (12, 3, 128, 128)
    assert x[-1].min() > 150  # of 188: JPEG blurs the edge, but none of the black is left


def test_each_size_and_crop_is_a_copy_of_its_own(library: Library) -> None:
    write_celeba(library)
    small, cut = CelebaOptions(size=32), CelebaOptions(size=32, crop=100)
    assert library.prepare("celeba", small).shape == [3, 32, 32]
    assert_says(library.prepare("celeba", cut).notes[0], "central square of 100 pixels", "32")
    assert list(library.prepared("celeba")) == ["32px", "32px-crop100"]
    assert library.meta("celeba") is None
    assert not (library.folder / "work" / "celeba-32px").exists()


def test_the_same_files_give_the_same_hash_and_one_pixel_another(library: Library) -> None:
    write_celeba(library)
    options = CelebaOptions(size=16)
    first = library.prepare("celeba", options).hash
    assert library.prepare("celeba", options).hash == first
    other = {f"img_align_celeba/{face_name(i)}": jpeg(178, 218, 4 * i + 40 * (i == 5))
             for i in range(FACES)}  # fmt: skip
    write_celeba(library, zip=zipped(other))
    assert library.prepare("celeba", options).hash != first


def test_the_header_of_the_official_file_is_the_known_one() -> None:
    assert tuple(HEADER.lower().split()) == ATTRIBUTES
    assert len(set(ATTRIBUTES)) == 40


def test_any_two_attributes_are_a_task_and_those_of_the_paper_come_first() -> None:
    data = data_set("celeba")
    assert len(data.tasks) == 40 * 39
    assert list(data.tasks)[:6] == list(PAPER_TASKS) == list(data.listed)
    assert set(PAPER_TASKS) == {
        "attractive|male", "gray_hair|male", "wavy_hair|male",
        "attractive|young", "gray_hair|young", "wavy_hair|young",
    }  # fmt: skip
    assert data.tasks["gray_hair|young"].published == "celeba/gray_hair|young"
    assert data.tasks["young|male"].published is None


def test_figure_3_has_67_tasks_with_male_or_young_as_bias() -> None:
    assert len(FIGURE_3) == len(set(FIGURE_3)) == 67
    assert set(FIGURE_3) <= set(data_set("celeba").tasks)
    assert set(PAPER_TASKS) <= set(FIGURE_3)
    assert {task.split("|")[1] for task in FIGURE_3} == {"male", "young"}
    assert "wearing_lipstick|male" in FIGURE_3
    assert not any(f"{name}|male" in FIGURE_3 for name in TIED_TO_GENDER)


def test_pictures_that_are_not_in_the_zip_make_it_a_subset(library: Library) -> None:
    some = {face_name(i): jpeg(178, 218, i) for i in range(FACES) if i not in (0, 40)}
    write_celeba(library, zip=zipped({f"img_align_celeba/{k}": v for k, v in some.items()}))
    meta = library.prepare("celeba", CelebaOptions(size=8))
    assert meta.sizes == {"train": 23, "validation": 12, "test": 11}
    assert meta.notes[1:] == [
        "A subset: the list names 48 of 202,599 pictures.",
        "A subset: 2 of 48 listed pictures are not in the archive.",
    ]
    assert not meta.official
    assert meta.remarks[-1].startswith(
        "Raw files are not the official ones: img_align_celeba.zip, "
    )


def test_a_truncated_picture_is_left_out_with_its_attributes(library: Library) -> None:
    pictures = {f"img_align_celeba/{face_name(i)}": jpeg(178, 218, 4 * i) for i in range(FACES)}
    name = f"img_align_celeba/{face_name(7)}"
    pictures[name] = pictures[name][:-300]
    write_celeba(library, zip=zipped(pictures))
    meta = library.prepare("celeba", CelebaOptions(size=8))
    assert meta.sizes["train"] == 23
    assert f"1 unreadable pictures are left out: {name}." in meta.notes
    train = library.splits("celeba", "smiling|male", CelebaOptions(size=8))["train"]
    signs = np.delete(celeba_signs()[:24], 7, axis=0)
    assert train.y.tolist() == (signs[:, ATTRIBUTES.index("smiling")] == 1).tolist()


def test_an_unpacked_folder_does_as_well(library: Library) -> None:
    folder = write_celeba(library)
    first = library.prepare("celeba", CelebaOptions(size=8)).hash
    (folder / "img_align_celeba.zip").unlink()
    (folder / "img_align_celeba").mkdir()
    for i in range(FACES):
        (folder / "img_align_celeba" / face_name(i)).write_bytes(jpeg(178, 218, 4 * i))
    assert library.prepare("celeba", CelebaOptions(size=8)).hash == first


def test_it_is_not_fetched_and_says_what_to_do_by_hand(library: Library) -> None:
    for do in (library.get, library.prepare):
        with pytest.raises(UsageError) as error:
            do("celeba")
        message = str(error.value)
        for part in (
            "non-commercial research only",
            "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
            "img_align_celeba.zip",
            "md5:00d2c5bc6d35e252742224ab0c1e8fcb",
            "md5:75e246fa4810816ffd6ee81facbd244c",
            "md5:d32c9cbf5e040fd4025c592c306e6668",
            f"into {library.folder}/raw/celeba, or into $BENCH_MIRROR/celeba",
            "bench data check celeba",
            "without unpacking",
        ):
            assert part in message
    folder = write_celeba(library)
    (folder / "list_eval_partition.txt").unlink()
    with pytest.raises(UsageError) as error:
        library.get("celeba")
    assert "list_eval_partition.txt" in str(error.value)
    assert "list_attr_celeba.txt" not in str(error.value)


Edit = Callable[[str], str]
BROKEN: dict[str, tuple[str, Edit, str]] = {
    "no count line": (
        "attr",
        lambda text: text.split("\n", 1)[1],
        "list_attr_celeba.txt: does not begin with the number of pictures and the 40",
    ),
    "another count": (
        "attr",
        lambda text: text.replace("48\n", "202599\n", 1),
        "list_attr_celeba.txt: announces 202,599 pictures but has 48. It was probably cut short",
    ),
    "an attribute too few": (
        "attr",
        lambda text: text.replace("Young", "", 1),
        "list_attr_celeba.txt: does not begin with the number of pictures and the 40",
    ),
    "0 for -1": (
        "attr",
        lambda text: text.replace("-1", " 0", 1),
        "list_attr_celeba.txt, line 3: is not a file name and 40 times 1 or -1",
    ),
    "a line that was cut": (
        "attr",
        lambda text: text[:-10],
        "list_attr_celeba.txt, line 50: is not a file name and 40 times 1 or -1",
    ),
    "a picture twice": (
        "attr",
        lambda text: text.replace(face_name(1), face_name(0)),
        "list_attr_celeba.txt: names a picture twice",
    ),
    "a fourth split": (
        "partition",
        lambda text: text.replace(" 2\n", " 3\n", 1),
        "list_eval_partition.txt, line 37: is not a file name and 0, 1 or 2",
    ),
    "a picture without split": (
        "partition",
        lambda text: text.split("\n", 1)[1],
        "list_eval_partition.txt: has no line for 000001.jpg",
    ),
    "no test pictures": (
        "partition",
        lambda text: text.replace(" 2\n", " 1\n"),
        "There are no pictures for test",
    ),
    "only women": (
        "attr",
        lambda _: "\n".join([str(FACES), HEADER, *women()]) + "\n",
        "celeba: the train split has no row with male = male",
    ),
}


def women() -> list[str]:
    signs = celeba_signs()
    signs[:, ATTRIBUTES.index("male")] = -1
    return [f"{face_name(i)} {' '.join(map(str, row))}" for i, row in enumerate(signs)]


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_list_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    file, edit, message = BROKEN[what]
    write_celeba(library, **{file: edit(ATTR if file == "attr" else PARTITION)})
    with pytest.raises(DataError) as error:
        library.prepare("celeba", CelebaOptions(size=8))
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_a_zip_that_was_cut_short_is_named(library: Library) -> None:
    content = celeba_files()["img_align_celeba.zip"]
    assert isinstance(content, bytes)
    write_celeba(library, zip=content[:-1000])
    with pytest.raises(DataError, match=r"img_align_celeba.zip: not a complete archive"):
        library.prepare("celeba")
    assert_nothing_is_left(library)
