"""Answers on disk: whole after each one, resumed, taken back, and never mixed up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.labelling import session
from bench.labelling.session import Labelling, locked
from bench.tracks.poisoning.human import Recorded
from bench.tracks.poisoning.tagging import inspected
from tests.labelling.label_examples import DIGITS, make_labelling, make_queue


def on_disk(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "tags.json").read_text(encoding="utf-8"))
    return content


def say(labelling: Labelling, *names: str) -> None:
    for name in names:
        assert labelling.answer(labelling.step, name)


def test_every_answer_is_on_disk_at_once(tmp_path: Path) -> None:
    labelling = make_labelling(tmp_path)
    say(labelling, "7")
    assert on_disk(tmp_path)["tags"] == {"0": "7"}
    say(labelling, "unsure")
    content = on_disk(tmp_path)
    assert content["tags"] == {"0": "7", "1": "unsure"}
    assert (content["task"], content["seed"]) == ("digits digit under badnets", 0)
    assert content["finished"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["tags.json"]


def test_it_asks_cluster_by_cluster_and_more_where_answers_differ(tmp_path: Path) -> None:
    labelling = make_labelling(tmp_path)
    say(labelling, "7", "7", "7", "1", "2")
    sample = labelling.next_sample
    assert sample is not None
    assert (sample.position, sample.row, sample.answers) == (2, 22, ("1", "2"))
    say(labelling, *["1", "2"] * 9)
    sample = labelling.next_sample
    assert sample is not None
    assert (sample.position, sample.row) == (3, 40)
    assert labelling.inspections == 23


def test_it_is_finished_when_every_cluster_has_enough(tmp_path: Path) -> None:
    labelling = make_labelling(tmp_path, make_queue(clusters=2))
    say(labelling, *["7"] * 5)
    assert labelling.next_sample is None
    assert on_disk(tmp_path)["finished"]
    assert not labelling.answer(labelling.step, "7")
    labelling.undo(labelling.step)
    assert labelling.next_sample is not None
    assert on_disk(tmp_path)["finished"] is None


def test_the_last_answers_are_taken_back_even_after_coming_back(tmp_path: Path) -> None:
    say(make_labelling(tmp_path), "7", "8", "9")
    again = make_labelling(tmp_path)
    assert again.step == 3
    assert again.undo(3)
    assert again.undo(2)
    assert on_disk(tmp_path)["tags"] == {"0": "7"}
    sample = again.next_sample
    assert sample is not None
    assert sample.row == 1
    assert again.undo(1)
    assert not again.undo(0)


def test_an_answer_to_an_old_page_counts_for_nothing(tmp_path: Path) -> None:
    labelling = make_labelling(tmp_path)
    say(labelling, "7")
    assert not labelling.answer(0, "8")
    assert not labelling.undo(0)
    assert on_disk(tmp_path)["tags"] == {"0": "7"}


def test_what_cannot_be_written_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelling = make_labelling(tmp_path)
    say(labelling, "7")

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session, "write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        labelling.answer(1, "8")
    assert labelling.tags == {0: "7"}
    assert on_disk(tmp_path)["tags"] == {"0": "7"}


def test_the_recorded_annotator_reads_the_answers_in_the_rows_that_it_asks(tmp_path: Path) -> None:
    queue = make_queue(clusters=2)
    labelling = make_labelling(tmp_path, queue)
    say(labelling, "7", "unsure", "7", "1", "1")
    human = Recorded(tmp_path / "tags.json", DIGITS)
    found = [inspected(cluster, human.tag, queue.most) for cluster in queue.clusters]
    assert found == [{0: 7, 1: None, 2: 7}, {20: 1, 21: 1}]
    assert human.inspections == labelling.inspections == 5


def test_answers_that_another_queue_asked_for_stay_in_the_file(tmp_path: Path) -> None:
    say(make_labelling(tmp_path), *["7"] * 5)
    other = make_labelling(tmp_path, make_queue(clusters=5, rows=4, most=4))
    sample = other.next_sample
    assert sample is not None
    assert sample.row == 4
    say(other, "1")
    assert list(on_disk(tmp_path)["tags"]) == ["0", "1", "2", "20", "21", "4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a file of `bench label`"),
        ("[]", "not a file of `bench label`"),
        ('{"tags": {"a": "7"}}', "not a file of `bench label`"),
        ('{"tags": {}}', "not a file of `bench label`"),
    ],
)
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "tags.json").write_text(content)
    with pytest.raises(BenchError, match=message):
        make_labelling(tmp_path)
    assert (tmp_path / "tags.json").read_text() == content


def test_tags_of_another_seed_or_class_are_refused(tmp_path: Path) -> None:
    say(make_labelling(tmp_path), "7")
    with pytest.raises(BenchError, match="holds tags of seed 0, not 1"):
        make_labelling(tmp_path, seed=1)
    with pytest.raises(BenchError, match='"7" is not a class of this task'):
        make_labelling(tmp_path, make_queue(("a", "b")))


def test_a_class_named_unsure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match='named "unsure"'):
        make_labelling(tmp_path, make_queue(("sure", "unsure")))


def test_a_second_page_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tags.json"
    with (
        locked(path),
        pytest.raises(BenchError, match=r"another `bench label` is writing"),
        locked(path),
    ):
        pass
    with locked(path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write here"), locked(tmp_path / "file" / "t"):
        pass
