"""CIC-IDS2017: 2.8 million flows in a network, benign or of the three most frequent attacks."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import pandas as pd

from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import SPLITS, Array, Arrays, Columns
from bench.data.raw import Faults, RawFile, RawFolder
from bench.data.splitting import PartialDataSet, stratified
from bench.disk.files import new_map
from bench.errors import DataError

FILES = (
    "Monday-WorkingHours.pcap_ISCX.csv",
    "Tuesday-WorkingHours.pcap_ISCX.csv",
    "Wednesday-workingHours.pcap_ISCX.csv",
    "Thursday-WorkingHours-Morning-WebAttacks.pcap_ISCX.csv",
    "Thursday-WorkingHours-Afternoon-Infilteration.pcap_ISCX.csv",
    "Friday-WorkingHours-Morning.pcap_ISCX.csv",
    "Friday-WorkingHours-Afternoon-PortScan.pcap_ISCX.csv",
    "Friday-WorkingHours-Afternoon-DDos.pcap_ISCX.csv",
)
FEATURES = (
    "Destination Port", "Flow Duration", "Total Fwd Packets", "Total Backward Packets",
    "Total Length of Fwd Packets", "Total Length of Bwd Packets", "Fwd Packet Length Max",
    "Fwd Packet Length Min", "Fwd Packet Length Mean", "Fwd Packet Length Std",
    "Bwd Packet Length Max", "Bwd Packet Length Min", "Bwd Packet Length Mean",
    "Bwd Packet Length Std", "Flow Bytes/s", "Flow Packets/s", "Flow IAT Mean", "Flow IAT Std",
    "Flow IAT Max", "Flow IAT Min", "Fwd IAT Total", "Fwd IAT Mean", "Fwd IAT Std", "Fwd IAT Max",
    "Fwd IAT Min", "Bwd IAT Total", "Bwd IAT Mean", "Bwd IAT Std", "Bwd IAT Max", "Bwd IAT Min",
    "Fwd PSH Flags", "Bwd PSH Flags", "Fwd URG Flags", "Bwd URG Flags", "Fwd Header Length",
    "Bwd Header Length", "Fwd Packets/s", "Bwd Packets/s", "Min Packet Length",
    "Max Packet Length", "Packet Length Mean", "Packet Length Std", "Packet Length Variance",
    "FIN Flag Count", "SYN Flag Count", "RST Flag Count", "PSH Flag Count", "ACK Flag Count",
    "URG Flag Count", "CWE Flag Count", "ECE Flag Count", "Down/Up Ratio", "Average Packet Size",
    "Avg Fwd Segment Size", "Avg Bwd Segment Size", "Fwd Avg Bytes/Bulk", "Fwd Avg Packets/Bulk",
    "Fwd Avg Bulk Rate", "Bwd Avg Bytes/Bulk", "Bwd Avg Packets/Bulk", "Bwd Avg Bulk Rate",
    "Subflow Fwd Packets", "Subflow Fwd Bytes", "Subflow Bwd Packets", "Subflow Bwd Bytes",
    "Init_Win_bytes_forward", "Init_Win_bytes_backward", "act_data_pkt_fwd",
    "min_seg_size_forward", "Active Mean", "Active Std", "Active Max", "Active Min", "Idle Mean",
    "Idle Std", "Idle Max", "Idle Min",
)  # fmt: skip
"""77 of the files' 78 features: "Fwd Header Length" occurs twice, the second time after "Avg Bwd
Segment Size", and is read once."""

LABEL = "Label"
CLASSES = {"benign": "benign", "dos hulk": "DoS Hulk", "portscan": "PortScan", "ddos": "DDoS"}
"""Label in the files -> class: benign flows and the three most frequent attacks, which LABOR
poisons (section 4.4)."""

OTHER_ATTACKS = frozenset({
    "bot", "dos goldeneye", "dos slowhttptest", "dos slowloris", "ftp patator", "heartbleed",
    "infiltration", "ssh patator", "web attack brute force", "web attack sql injection",
    "web attack xss",
})  # fmt: skip
"""Attacks that are left out. The paper does not mention them; they make up 1 % of the flows, and
the rarest has 11."""

SHARES = {"validation": 0.1, "test": 0.2}  # LABOR's 21,630 are 1 % of some 2.2 million train flows
CHUNK = 100_000  # rows in memory at once


@dataclass
class Flows:
    """The flows that were read: values in a file, and counts of the rows that are not kept.

    Attributes:
        path: file of the kept rows, [n, features] float32.
        classes: chunks of the kept rows' classes, [rows] int64 each.
        hashes: chunks of the kept rows' hashes; equal rows have equal ones.
        total: number of rows in all files.
        blank: number of rows without any cell.
        left_out: number of rows of other attacks, by label.
        infinite: number of rows with NaN or infinity, by column.
        dropped: number of rows with NaN or infinity.
        notes: notes on malformed rows.
    """

    path: Path
    classes: list[Array] = field(default_factory=list)
    hashes: list[Array] = field(default_factory=list)
    total: int = 0
    blank: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    infinite: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    notes: list[str] = field(default_factory=list)


class Cicids2017(PartialDataSet):
    """CIC-IDS2017, the eight files of MachineLearningCVE: 77 standardised numbers for each flow.

    There is no official split: 10 % of the flows are validation and 20 % test, stratified by class
    and drawn once. The files are read in chunks, because they do not fit into memory.
    """

    title = "CIC-IDS2017 (network traffic)"
    kind = "table"
    licence = "research use; its page asks to cite Sharafaldin et al. (2018)"
    homepage = "https://www.unb.ca/cic/datasets/ids-2017.html"
    consent = "The University of New Brunswick asks who downloads CIC-IDS2017: fetch it by hand."
    files = tuple(
        RawFile(
            name,
            others=tuple(
                f"{above}{folder}/{name}"
                for folder in ("MachineLearningCVE", "TrafficLabelling*")  # one ends in a space
                for above in ("", "*/")
            ),
            location="in MachineLearningCSV.zip, which may stay packed",
        )
        for name in FILES
    )
    tasks: ClassVar = {"attack": TaskDefinition("attack", None, "cicids2017/feature")}
    validation_to_train = SHARES["validation"] / (1 - sum(SHARES.values()))

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the eight files, split the flows, standardise them."""
        del options
        work.mkdir(parents=True, exist_ok=True)
        flows = read_flows(raw, work / "flows.f32")
        attack = np.concatenate([np.empty(0, np.int64), *flows.classes])
        if not len(attack):
            raise DataError(f"{raw.name}: none of {flows.total:,} rows can be used.")
        rows = stratified(attack, SHARES)
        values = np.memmap(flows.path, np.float32, "r", shape=(len(attack), len(FEATURES)))
        mean, std = _moments(values, rows["train"])
        splits = {}
        for split in SPLITS:
            shape = len(rows[split]), len(FEATURES)
            x = new_map(work / f"{split}.npy", np.float32, shape)
            for target, source in _chunks(rows[split]):
                x[target] = (values[source] - mean) / std
            splits[split] = Columns(x, {"attack": attack[rows[split]]})
        return Arrays(
            splits=splits,
            attributes={"attack": list(CLASSES.values())},
            columns=list(FEATURES),
            normalisation={
                name: {"mean": float(mean[i]), "std": float(std[i])}
                for i, name in enumerate(FEATURES)
            },
            notes=[*_notes(flows), *_repeated_note(np.concatenate(flows.hashes), rows)],
        )


def read_flows(raw: RawFolder, path: Path) -> Flows:
    """Write usable rows to `path`, count the others. Raises DataError if too many are malformed."""
    flows = Flows(path)
    with path.open("wb") as out:
        for file in FILES:
            faults, before = Faults(file, "rows"), flows.total
            with raw.stream(file) as opened:
                for frame in _frames(opened, file):
                    _add(frame, flows, faults, out)
            faults.refuse_many(flows.total - before)
            flows.notes += [f"{file}: {note}" for note in faults.notes()]
    return flows


def _frames(opened: IO[bytes], file: str) -> Iterator[pd.DataFrame]:
    """The table in chunks; the index is the line number, column names are stripped of spaces."""
    # The dash of "Web Attack - XSS" in the public files is invalid in every common encoding.
    text = io.TextIOWrapper(opened, encoding="utf-8-sig", errors="replace", newline="")
    try:
        chunks = pd.read_csv(
            text, chunksize=CHUNK, low_memory=False, index_col=False, skip_blank_lines=False
        )
        for frame in chunks:
            frame.columns = frame.columns.str.strip()
            for column in (*FEATURES, LABEL):
                if column not in frame.columns:
                    raise DataError(f"{file}: has no column {column}. Is this the official file?")
            frame.index += 2  # of the first row below the header
            yield frame
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{file}: not a table ({error}). Fetch it again.") from error


def _add(frame: pd.DataFrame, flows: Flows, faults: Faults, out: IO[bytes]) -> None:
    """Write the usable rows of a chunk to `out` and count the others."""
    flows.total += len(frame)
    blank = frame.isna().all(axis=1)
    flows.blank += int(blank.sum())
    frame = frame[~blank]
    label = frame[LABEL].fillna("").astype(str).map(plain_label)
    known = label.isin(list(CLASSES)) | label.isin(list(OTHER_ATTACKS))
    for line in frame.index[~known]:
        faults.add(f"line {line}, column {LABEL}", f"unknown label {frame[LABEL][line]!r}")
    other = label.isin(list(OTHER_ATTACKS))
    flows.left_out.update(label[other].to_list())
    frame, label = frame[known & ~other], label[known & ~other]
    values, malformed = _numbers(frame, faults)
    finite = np.isfinite(values)
    infinite = ~finite.all(axis=1) & ~malformed
    flows.dropped += int(infinite.sum())
    counts = (~finite[infinite]).sum(axis=0)
    flows.infinite.update({name: int(n) for name, n in zip(FEATURES, counts, strict=True) if n})
    kept = ~infinite & ~malformed
    out.write(values[kept].tobytes())  # unlike tofile, it says that the disk is full
    classes = label[kept].map({name: i for i, name in enumerate(CLASSES)}).to_numpy(np.int64)
    flows.classes.append(classes)
    hashes = pd.util.hash_pandas_object(pd.DataFrame(values[kept]).assign(y=classes), index=False)
    flows.hashes.append(hashes.to_numpy())


def plain_label(label: str) -> str:
    """A label in lower case, with one space instead of other characters than letters and digits."""
    return re.sub(r"[^a-z0-9]+", " ", label.lower()).strip()


def _numbers(frame: pd.DataFrame, faults: Faults) -> tuple[Array, Array]:
    """Values, [n, features] float32, and which rows hold text instead of a number, [n] bool."""
    values = np.empty((len(frame), len(FEATURES)), np.float32)
    malformed = np.zeros(len(frame), bool)
    for position, name in enumerate(FEATURES):
        column: Any = frame[name]
        numbers = pd.to_numeric(column, errors="coerce")
        for row in np.flatnonzero((numbers.isna() & column.notna()).to_numpy()).tolist():
            if not malformed[row]:
                place = f"line {frame.index[row]}, column {name}"
                faults.add(place, f"{column.iloc[row]!r} is not a number")
            malformed[row] = True
        values[:, position] = numbers.to_numpy(np.float32)
    return values, malformed


def _chunks(rows: Array) -> Iterator[tuple[slice, Array]]:
    """Row numbers in chunks, each with its place among all of them."""
    for start in range(0, len(rows), CHUNK):
        yield slice(start, start + CHUNK), rows[start : start + CHUNK]


def _moments(values: Array, rows: Array) -> tuple[Array, Array]:
    """Mean and standard deviation (1 if constant) of each column over these rows, as float64."""
    total = np.zeros(values.shape[1])
    for _, chunk in _chunks(rows):
        total += values[chunk].sum(axis=0, dtype=float)
    mean = total / len(rows)
    squares = np.zeros_like(total)
    for _, chunk in _chunks(rows):
        squares += np.square(values[chunk] - mean).sum(axis=0)
    std = np.sqrt(squares / len(rows))
    return mean, np.where(std > 0, std, 1.0)


def _notes(flows: Flows) -> list[str]:
    notes = list(flows.notes)
    if flows.dropped:
        columns = ", ".join(f"{name} {count:,}" for name, count in flows.infinite.items())
        notes.append(
            f"{flows.dropped:,} of {flows.total:,} rows hold NaN or infinity and are left out: "
            f"{columns}."
        )
    if flows.blank:
        notes.append(f"{flows.blank:,} blank rows are skipped.")
    if flows.left_out:
        listed = ", ".join(f"{name} {count:,}" for name, count in flows.left_out.most_common())
        notes.append(f"{flows.left_out.total():,} rows of other attacks are left out: {listed}.")
    return [*notes, "There is no official split: 70 % train, 10 % validation, 20 % test."]


def _repeated_note(hashes: Array, rows: Mapping[str, Array]) -> list[str]:
    """Count equal flows, of which a random split puts some into both train and test."""
    repeated = len(hashes) - len(np.unique(hashes))
    if not repeated:
        return []
    in_train = int(np.isin(hashes[rows["test"]], hashes[rows["train"]]).sum())
    return [
        f"{repeated:,} of {len(hashes):,} rows repeat another row; {in_train:,} test rows also "
        "occur in train."
    ]
