"""COVID-CT in its official layout: two zips of pictures, six lists."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from bench.data.covid_ct import CovidCtOptions
from bench.data.dataset import Library, data_set
from bench.errors import DataError, UsageError
from tests.data.picture_examples import covid_ct_files, ct_name, jpeg, write_covid_ct, zipped
from tests.data.raw_examples import assert_nothing_is_left

SMALL = CovidCtOptions(size=16)
FILES = covid_ct_files()


def test_pictures_stand_in_their_official_split_with_their_class(
    example_pictures: Library,
) -> None:
    meta = example_pictures.meta("covid_ct")
    assert meta is not None
    assert meta.sizes == {"train": 24, "validation": 12, "test": 12}
    assert meta.attributes == {"covid": ["no COVID-19", "COVID-19"]}
    assert meta.shape == [3, 128, 128]
    for split in example_pictures.splits("covid_ct", "covid", CovidCtOptions()).values():
        grey = split.x[:, 0, 64, 64].astype(int)
        assert ((grey > 130) == split.y).all()
        assert split.y.sum() == len(split.y) / 2


def test_the_largest_central_square_is_used(library: Library) -> None:
    write_covid_ct(library)
    meta = library.prepare("covid_ct", SMALL)
    assert meta.shape == [3, 16, 16]
    assert meta.notes[:2] == [
        "Of each picture the largest central square is used, scaled to 16.",
        "There are 48 pictures; the official release has 746.",
    ]
    x = library.splits("covid_ct", "covid", SMALL)["test"].x
    # 300 x 200 pixels with a black frame of 20 above and below: 16 rows show 200, so the frame
    # is 1.6 rows; it would be 1.07 of 16 were the whole width squeezed into them.
    assert x[-1, 0, 0].max() < 20
    assert 60 < x[-1, 0, 1].mean() < 110


def test_a_clone_of_the_repository_does_as_well(library: Library) -> None:
    folder = write_covid_ct(library)
    first = library.prepare("covid_ct", SMALL).hash
    for name, content in FILES.items():
        (folder / name).unlink()
        of = "NonCOVID" if "NonCOVID" in name else "COVID"
        inside = "Images-processed" if name.endswith(".zip") else f"Data-split/{of}"
        path = folder / "COVID-CT" / inside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert library.prepare("covid_ct", SMALL).hash == first


def test_listed_pictures_that_are_not_there_are_named(library: Library) -> None:
    name = ct_name("COVID", "test", 3)
    pictures = {f"CT_COVID/{ct_name('COVID', part, i)}": jpeg(300, 200, 200)
                for part, count in (("train", 12), ("val", 6), ("test", 6))
                for i in range(count)}  # fmt: skip
    del pictures[f"CT_COVID/{name}"]
    write_covid_ct(library, CT_COVID=zipped(pictures))
    meta = library.prepare("covid_ct", SMALL)
    assert meta.sizes == {"train": 24, "validation": 12, "test": 11}
    assert f"1 listed pictures are missing: {name}." in meta.notes


def test_a_truncated_picture_is_left_out_with_its_label(library: Library) -> None:
    pictures = {f"{ct_name('NonCOVID', part, i)}": jpeg(300, 200, 60)
                for part, count in (("train", 12), ("val", 6), ("test", 6))
                for i in range(count)}  # fmt: skip
    name = ct_name("NonCOVID", "test", 0)
    pictures[name] = pictures[name][:-300]
    write_covid_ct(library, CT_NonCOVID=zipped(pictures))
    meta = library.prepare("covid_ct", SMALL)
    assert f"1 unreadable pictures are left out: NonCOVID/{name}." in meta.notes
    assert library.splits("covid_ct", "covid", SMALL)["test"].y.tolist() == [0] * 5 + [1] * 6


def test_each_size_is_a_copy_of_its_own() -> None:
    assert data_set("covid_ct").variant(CovidCtOptions(size=224, train_size=10)) == "224px"


def test_it_is_fetched_by_hand(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("covid_ct")
    for name in FILES:
        assert name in str(error.value)
    assert "copyrights" in str(error.value)
    assert "folder Data-split/NonCOVID of the repository" in str(error.value)


BROKEN = {
    "no picture's name": (
        {"trainCT_COVID": "a.png\nnonsense\n"},
        "trainCT_COVID.txt, line 2: 'nonsense' is not the name of a picture",
    ),
    "a picture twice": (
        {"valCT_COVID": "a.png\n\na.png"},
        "valCT_COVID.txt, line 3: a.png occurs twice",
    ),
    "an empty list": ({"testCT_COVID": "\n"}, "testCT_COVID.txt is empty"),
    "no archive": ({"CT_COVID": b"<html>"}, "CT_COVID.zip: not a complete"),
    "a class absent": (
        {"testCT_NonCOVID": "a.png"},
        "covid_ct: the test split has no row with covid = no COVID-19",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    changed, message = BROKEN[what]
    write_covid_ct(library, **changed)
    with pytest.raises(DataError) as error:
        library.prepare("covid_ct", SMALL)
    assert message in str(error.value)
    if (library.folder / "prepared").exists():
        assert_nothing_is_left(library)


def test_the_example_is_in_the_layout_of_the_release() -> None:
    assert {PurePosixPath(name).suffix for name in FILES} == {".zip", ".txt"}
    assert len(FILES) == 8
