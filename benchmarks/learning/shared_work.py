"""Tensors that several trials need, on disk: read if they are whole, and computed anew if not."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import torch
from pydantic import ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench import heartbeat
from bench.disk.locking import Holder, awaited
from bench.errors import BenchError
from bench.result import Record, Scalar, fsync_folder, write_atomically

log = logging.getLogger(__name__)


class SharedRecord(Record):
    """What is kept beside shared tensors: their cost, the curves, what was chosen, a digest."""

    model_config = ConfigDict(ser_json_inf_nan="constants")  # curves may hold undefined metrics

    seconds: float
    curves: dict[str, list[float]]
    chosen: dict[str, Scalar]
    samples_seen: int = 0
    training_seconds: float = 0.0
    sha256: str = ""
    """Of the key, of this record without this field, and of the file of tensors."""


Shared = tuple[dict[str, Tensor], SharedRecord]
"""The tensors by name, contiguous and on the device, and what is known of them."""


class SharedWork:
    """One piece of shared work in a folder: `key.safetensors`, and `key.json` beside it.

    Attributes:
        name: what the tensors are, in words.
        values: file of the tensors.
        about: file of the record; it is written last.
    """

    def __init__(self, folder: Path, key: str, name: str, device: torch.device) -> None:
        self.name, self.key, self.device = name, key, device
        self.values, self.about = folder / f"{key}.safetensors", folder / f"{key}.json"

    def read_or(self, build: Callable[[], Shared]) -> Shared:
        """Read what is kept, or else build it under a lock, and keep it if the disk can."""
        if kept := self._read():
            return kept
        with self._locked():
            # Another process may have built it meanwhile; if not, what is there is damaged.
            if kept := self._read(complain=True):
                return kept
            tensors, record = build()
            self._keep(tensors, record)
            return tensors, record

    def _read(self, *, complain: bool = False) -> Shared | None:
        """What is kept, or None where there is nothing or nothing that is whole."""
        if not (self.about.exists() or self.values.exists()):
            return None
        try:
            record = SharedRecord.model_validate_json(self.about.read_bytes())
            self._compare(record)
            return load_file(self.values, device=str(self.device)), record
        except (OSError, ValueError, SafetensorError) as error:
            if complain:
                log.warning("%s is computed again: what was kept of it cannot be used (%s).",
                            self.name, _reason(error))  # fmt: skip
            return None

    def _keep(self, tensors: dict[str, Tensor], record: SharedRecord) -> None:
        """Write both files. A full disk costs the next trial time, and not this one its result."""
        temporary = self.values.with_name(f".{self.key}.{os.getpid()}.tmp")
        try:
            # First, because what is damaged takes room. Never in place: others may have mapped it.
            for damaged in (self.about, self.values):
                damaged.unlink(missing_ok=True)
            save_file(tensors, temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            complete = record.model_copy(update={"sha256": self._digest(record, temporary)})
            temporary.replace(self.values)
            fsync_folder(self.values.parent)
            # The record is written last and atomically: if it exists, the tensors are whole.
            write_atomically(self.about, complete.model_dump_json())
        except (OSError, SafetensorError) as error:
            log.warning("%s cannot be kept for other trials (%s).", self.name, _reason(error))
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _compare(self, record: SharedRecord) -> None:
        if not record.sha256:
            raise ValueError("it has no digest")
        if record.sha256 != self._digest(record, self.values):
            raise ValueError("its digest differs")

    def _digest(self, record: SharedRecord, values: Path) -> str:
        text = record.model_dump_json(exclude={"sha256"})
        begun = hashlib.sha256(f"{self.key};{text};".encode())
        with values.open("rb") as file:
            return hashlib.file_digest(file, lambda: begun).hexdigest()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as stack:
            lock, folder = self.values.with_suffix(".lock"), Path(self.values.parent.name)
            try:
                stack.enter_context(awaited(lock, folder, self._waiting))
            except BenchError as error:
                log.warning("%s is not shared: %s", self.name, error)
            yield

    def _waiting(self, holder: Holder | None) -> None:
        who = f"which {holder} computes" if holder else "which another process computes"
        heartbeat.report(f"waiting for the {self.name}, {who}")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "its record is damaged"
    if isinstance(error, OSError):  # without the path, because pages show the trial's log
        return error.strerror or type(error).__name__
    return str(error)
