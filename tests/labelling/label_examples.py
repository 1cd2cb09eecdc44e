"""A queue, samples of every kind, and a page that is served for a test."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import numpy as np
import torch

from bench.attacks.poisoning.contract import Samples
from bench.data.prepared import Kind
from bench.data.sounds import LogMel
from bench.labelling.server import Endpoints, addresses, application, server
from bench.labelling.session import Labelling
from bench.labelling.showing import SampleView, sample_view
from bench.listening import bound
from bench.tracks.poisoning.tagging import Cluster, Queue

TOKEN = "the-token"
DIGITS = tuple("0123456789")
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x>", "&amp;{{ 7*7 }}")
SPECTRUM = LogMel(8000, bands=20)


def make_queue(
    classes: tuple[str, ...] = DIGITS, clusters: int = 10, rows: int = 20, most: int = 20
) -> Queue:
    """Clusters that take 2 inspections if these agree, the first 3; no row is in two clusters."""
    made = tuple(
        Cluster(i, 100 - i, tuple(range(i * rows, (i + 1) * rows)), 3 if i == 0 else 2)
        for i in range(clusters)
    )
    return Queue("digits digit under badnets", classes, made, most)


def make_labelling(folder: Path, queue: Queue | None = None, seed: int = 0) -> Labelling:
    return Labelling(folder / "tags.json", queue or make_queue(), seed, "hash")


def make_samples(kind: Kind, rows: int = 200) -> Samples:
    random = np.random.default_rng(0)
    x = {
        "image": random.integers(0, 256, (rows, 3, 8, 8)).astype(np.uint8),
        "sound": (random.normal(size=(rows, 4000)) * 3000).astype(np.int16),
        "text": np.tile([2, 3, 4, 1, 0, 0], (rows, 1)).astype(np.int64),
        "table": np.tile([1.0, -0.5, 0, 1, 0], (rows, 1)).astype(np.float32),
    }[kind]
    return Samples(
        x=torch.from_numpy(x),
        y=torch.zeros(rows, dtype=torch.int64),
        kind=kind,
        classes=DIGITS,
        words=("<padding>", "<unknown>", "hello", *HOSTILE[:2]) if kind == "text" else (),
        columns=("bytes", "rate", "flag=S0", "flag=SF", "land") if kind == "table" else (),
        normalisation={"bytes": {"mean": 200.0, "std": 32.0}, "rate": {"mean": 1, "std": 0.5}},
    )


def showing(kind: Kind) -> Callable[[int], SampleView]:
    samples = make_samples(kind)
    return lambda row: sample_view(samples, row, SPECTRUM)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Served:
    """A page that is being served."""

    labelling: Labelling
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def entrance(self) -> str:
        return f"http://{self.address}/?token={TOKEN}"

    @property
    def known(self) -> dict[str, str]:
        """Headers of a browser that has been let in."""
        return {"Cookie": f"bench_label_{self.port}={TOKEN}", "Origin": f"http://{self.address}"}

    def get(self, path: str = "/", headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, headers: Mapping[str, str] | None = None, **form: object) -> Answer:
        return self.ask("POST", path, urlencode(form), headers)

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, redirects not followed; with the right headers unless others are given."""
        sent = {**(self.known if headers is None else headers)}
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())


@contextmanager
def served(labelling: Labelling, show: Callable[[int], SampleView]) -> Iterator[Served]:
    """Serve a page in a thread of this process."""
    with bound("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        listening.listen()  # requests wait until the server is ready
        desk = Endpoints(labelling, show, "bench --suite digits")
        running = server(application(desk, TOKEN, addresses("127.0.0.1", port)))
        thread = Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Served(labelling, port)
        finally:
            running.should_exit = True
            thread.join(20)
