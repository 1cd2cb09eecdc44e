"""What a person has said so far, and what they are asked next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench.errors import BenchError
from bench.result import write_atomically
from bench.tracks.poisoning.human import UNSURE
from bench.tracks.poisoning.tagging import Cluster, Queue, enough


@dataclass(frozen=True)
class NextSample:
    """The sample that is to be looked at.

    Attributes:
        row: of the training set.
        cluster: that it belongs to.
        position: of the cluster among all, from 1.
        said: answers in this cluster so far, class names or "unsure".
    """

    row: int
    cluster: Cluster
    position: int
    said: tuple[str, ...]


class Labelling:
    """A queue and the file of answers to it, written anew after each of them.

    The file says of which task, seed and data its rows are: those of another one are refused. Its
    `tags` are what the annotator `recorded` reads, in the order in which they were given.
    """

    def __init__(self, path: Path, queue: Queue, seed: int, data_hash: str) -> None:
        if UNSURE in queue.classes:
            raise BenchError(f'a class is named "{UNSURE}", which is an answer of its own here.')
        self.path, self.queue = path, queue
        self.about = {"task": queue.task, "seed": seed, "data_hash": data_hash}
        self.started, self.finished = _now(), ""
        self.tags: dict[int, str] = {}
        if path.exists():
            self._resume()

    @property
    def step(self) -> int:
        """Answers so far. A page shows the one after, and its answer counts for that alone."""
        return len(self.tags)

    @property
    def asked(self) -> NextSample | None:
        """What is to be looked at now, or None where every cluster has enough."""
        for position, cluster in enumerate(self.queue.clusters, 1):
            said = self._said(cluster)
            if len(said) < len(cluster.rows) and not self._enough(cluster, said):
                return NextSample(cluster.rows[len(said)], cluster, position, said)
        return None

    @property
    def looks(self) -> int:
        """Answers that this queue makes use of."""
        return sum(len(self._said(cluster)) for cluster in self.queue.clusters)

    def answer(self, step: int, said: str) -> bool:
        """Note a class name or "unsure"; False for an answer to what is no longer shown."""
        asked = self.asked
        if step != self.step or asked is None:
            return False
        if said not in (*self.queue.classes, UNSURE):
            raise ValueError(f"{said!r} is no class")
        self._keep({**self.tags, asked.row: said})
        return True

    def undo(self, step: int) -> bool:
        """Take the last answer back; False where there is none or the page was an old one."""
        if step != self.step or not self.tags:
            return False
        self._keep(dict(list(self.tags.items())[:-1]))
        return True

    def _said(self, cluster: Cluster) -> tuple[str, ...]:
        """Answers about its first rows; one that is missing ends them."""
        said = []
        for row in cluster.rows:
            if row not in self.tags:
                break
            said.append(self.tags[row])
            if self._enough(cluster, said):
                break  # what follows was answered for another queue
        return tuple(said)

    def _enough(self, cluster: Cluster, said: list[str] | tuple[str, ...]) -> bool:
        numbers = [None if name == UNSURE else self.queue.classes.index(name) for name in said]
        return enough(numbers, cluster.least, self.queue.most)

    def _keep(self, tags: dict[int, str]) -> None:
        """Have these answers, or the old ones where they cannot be written (OSError)."""
        before = self.tags, self.finished
        self.tags = tags
        self.finished = "" if self.asked else _now()
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
            content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            tags = {int(row): str(name) for row, name in content["tags"].items()}
            of = {name: content[name] for name in self.about}
            self.started, self.finished = content["started"], content["finished"] or ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BenchError(
                f"{self.path}: no file of `bench label` ({error!r}). Choose another with --tags."
            ) from error
        for name, value in self.about.items():
            if of[name] != value:
                raise BenchError(
                    f"{self.path}: holds tags of {name} {of[name]}, not {value}. Choose another "
                    "file with --tags."
                )
        if strange := sorted(set(tags.values()) - {*self.queue.classes, UNSURE}):
            raise BenchError(f'{self.path}: "{strange[0]}" is no class of this task.')
        self.tags = tags


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Keep a second page from the same file of tags: each would overwrite the other's answers.

    Raises:
        BenchError: another one has it, or it cannot be written.
    """
    lock = FileLock(path.parent / f".{path.name}.lock", timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise BenchError(f"another `bench label` is writing {path}. End it first.") from error
    except OSError as error:
        raise BenchError(f"{path}: cannot write here ({error.strerror}).") from error
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
