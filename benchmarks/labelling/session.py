"""The answers of a person so far, and the sample to inspect next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.disk.locking import exclusive
from bench.errors import BenchError
from bench.outside.json_text import read_mapping
from bench.result import write_atomically
from bench.tracks.poisoning.human import UNSURE
from bench.tracks.poisoning.tagging import Cluster, Queue, enough

REMEDY = "Choose another file with --tags."


@dataclass(frozen=True)
class NextSample:
    """The sample to inspect next.

    Attributes:
        row: its row in the training set.
        cluster: the cluster that it belongs to.
        position: position of the cluster among all clusters, from 1.
        answers: answers about this cluster so far, class names or "unsure".
    """

    row: int
    cluster: Cluster
    position: int
    answers: tuple[str, ...]


class Labelling:
    """A queue and the file of answers to it, which is rewritten after each answer.

    The file names the task, seed and data of its rows; a file of others is refused. The annotator
    `recorded` reads its `tags`, which are in the order in which they were given.

    Raises:
        BenchError: the file belongs to another task, seed or data set or is damaged, or a class is
            named "unsure".
    """

    def __init__(self, path: Path, queue: Queue, seed: int, data_hash: str) -> None:
        if UNSURE in queue.classes:
            raise BenchError(f'a class is named "{UNSURE}", which has a meaning of its own here.')
        self.path, self.queue = path, queue
        self.about = {"task": queue.task, "seed": seed, "data_hash": data_hash}
        self.started, self.finished = _now(), ""
        self.tags: dict[int, str] = {}
        if path.exists():
            self._resume()

    @property
    def step(self) -> int:
        """Number of answers so far; a page sends it back, so that stale answers are noticed."""
        return len(self.tags)

    @property
    def next_sample(self) -> NextSample | None:
        """The sample to inspect now, or None if every cluster has enough answers."""
        for position, cluster in enumerate(self.queue.clusters, 1):
            answers = self._answers(cluster)
            if len(answers) < len(cluster.rows) and not self._enough(cluster, answers):
                return NextSample(cluster.rows[len(answers)], cluster, position, answers)
        return None

    @property
    def inspections(self) -> int:
        """Number of answers that this queue uses."""
        return sum(len(self._answers(cluster)) for cluster in self.queue.clusters)

    def answer(self, step: int, answer: str) -> bool:
        """Record a class name or "unsure"; False if the answered sample is no longer shown."""
        sample = self.next_sample
        if step != self.step or sample is None:
            return False
        if answer not in (*self.queue.classes, UNSURE):
            raise ValueError(f"{answer!r} is not a class")
        self._save({**self.tags, sample.row: answer})
        return True

    def undo(self, step: int) -> bool:
        """Take back the last answer; False if there is none or the page was out of date."""
        if step != self.step or not self.tags:
            return False
        self._save(dict(list(self.tags.items())[:-1]))
        return True

    def _answers(self, cluster: Cluster) -> tuple[str, ...]:
        """Answers about the first rows of a cluster, up to the first row without one."""
        answers = []
        for row in cluster.rows:
            if row not in self.tags:
                break
            answers.append(self.tags[row])
            if self._enough(cluster, answers):
                break  # further answers were given for another queue
        return tuple(answers)

    def _enough(self, cluster: Cluster, answers: Sequence[str]) -> bool:
        labels = [None if name == UNSURE else self.queue.classes.index(name) for name in answers]
        return enough(labels, cluster.least, self.queue.most)

    def _save(self, tags: dict[int, str]) -> None:
        """Take over these answers; if they cannot be written (OSError), keep the old ones."""
        before = self.tags, self.finished
        self.tags = tags
        self.finished = "" if self.next_sample else _now()
        try:
            self._write()
        except OSError:
            self.tags, self.finished = before
            raise

    def _write(self) -> None:
        content = {
            **self.about,
            "classes": self.queue.classes,
            "started": self.started,
            "finished": self.finished or None,
            "tags": {str(row): name for row, name in self.tags.items()},
        }
        write_atomically(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def _resume(self) -> None:
        try:
            content = read_mapping(self.path, "a file of `bench label`", REMEDY)
            tags = {int(row): str(name) for row, name in content["tags"].items()}
            about = {name: content[name] for name in self.about}
            self.started, self.finished = content["started"], content["finished"] or ""
        except (ValueError, KeyError, AttributeError) as error:
            raise BenchError(
                f"{self.path}: not a file of `bench label` ({error!r}). {REMEDY}"
            ) from error
        for name, value in self.about.items():
            if about[name] != value:
                raise BenchError(
                    f"{self.path}: holds tags of {name} {about[name]}, not {value}. Choose another "
                    "file with --tags."
                )
        if unknown := sorted(set(tags.values()) - {*self.queue.classes, UNSURE}):
            raise BenchError(f'{self.path}: "{unknown[0]}" is not a class of this task.')
        self.tags = tags


def locked(path: Path) -> AbstractContextManager[None]:
    """Keep other processes from a file of tags, because each would overwrite the other's answers.

    Raises:
        BenchError: another process uses the file, or its folder cannot be written to.
    """
    busy = f"another `bench label` is writing {path}. End it first."
    return exclusive(path.parent / f".{path.name}.lock", path, busy)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
