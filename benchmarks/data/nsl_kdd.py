"""NSL-KDD: connections in a network, normal or one of four kinds of attack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, stratified
from bench.data.tabular import Table, encode, read_table

TRAIN, PART_OF_TRAIN, TEST = "KDDTrain+.txt", "KDDTrain+_20Percent.txt", "KDDTest+.txt"
CATEGORIES = ("protocol_type", "service", "flag")
FEATURES = (
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land",
    "wrong_fragment", "urgent", "hot", "num_failed_logins", "logged_in", "num_compromised",
    "root_shell", "su_attempted", "num_root", "num_file_creations", "num_shells",
    "num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login", "count",
    "srv_count", "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate",
    "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate", "dst_host_count",
    "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate",
    "dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
)  # fmt: skip
"""The 41 features of KDD Cup 1999, in the order of the files, which have no header."""

CLASSES: Mapping[str, tuple[str, ...]] = {
    "normal": ("normal",),
    "dos": (
        "apache2", "back", "land", "mailbomb", "neptune", "pod", "processtable", "smurf",
        "teardrop", "udpstorm", "worm",
    ),
    "probe": ("ipsweep", "mscan", "nmap", "portsweep", "saint", "satan"),
    "r2l": (
        "ftp_write", "guess_passwd", "httptunnel", "imap", "multihop", "named", "phf", "sendmail",
        "snmpgetattack", "snmpguess", "spy", "warezclient", "warezmaster", "xlock", "xsnoop",
    ),
    "u2r": ("buffer_overflow", "loadmodule", "perl", "ps", "rootkit", "sqlattack", "xterm"),
}  # fmt: skip
"""Attack names by class: denial of service, probing, remote to local, user to root. Two names are
grouped in several ways in the literature; here httptunnel is r2l and worm is dos."""

CLASS_OF = {attack: position for position, names in enumerate(CLASSES.values()) for attack in names}
VALIDATION_SHARE = 0.2


class NslKdd(PartialDataSet):
    """NSL-KDD in its official split; a fifth of train, stratified by class, is held out.

    38 numbers are standardised and three categories one-hot encoded, both by the training rows. The
    whole training file is read where it exists, else its official fifth.
    """

    title = "NSL-KDD (network traffic)"
    kind = "table"
    licence = "research use; its page asks to cite Tavallaee et al. (2009)"
    homepage = "https://www.unb.ca/cic/datasets/nsl.html"
    consent = "The University of New Brunswick asks who downloads NSL-KDD: fetch it by hand."
    files = (
        RawFile(
            TRAIN,
            others=(PART_OF_TRAIN,),
            location=f"in NSL-KDD.zip, which may stay packed; {PART_OF_TRAIN} does as well",
        ),
        RawFile(TEST, location="in NSL-KDD.zip"),
    )
    tasks: ClassVar = {"attack": TaskDefinition("attack", None)}
    validation_to_train = VALIDATION_SHARE / (1 - VALIDATION_SHARE)

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read both files, group the attacks into classes, split the rows, encode the inputs."""
        del options, work
        columns = [*FEATURES, "attack", "difficulty"]
        tables = {name: read_table(raw, name, columns, optional=True) for name in (TRAIN, TEST)}
        attack = {name: table.classes("attack", CLASS_OF) for name, table in tables.items()}
        parts = stratified(attack[TRAIN], {"validation": VALIDATION_SHARE})
        train = parts["train"]
        encoded, normalisation, names = encode(tables, TRAIN, train, FEATURES, CATEGORIES)
        whole = {name: Columns(encoded[name], {"attack": attack[name]}) for name in tables}
        splits = {split: whole[TRAIN].subset(rows) for split, rows in parts.items()}
        splits["test"] = whole[TEST]
        path, u2r = raw.where(TRAIN), len(CLASSES) - 1
        rare = [int((part.attributes["attack"] == u2r).sum()) for part in splits.values()]
        notes = [f"A subset: train is {PART_OF_TRAIN}, the official fifth of {TRAIN}."]
        return Arrays(
            splits=splits,
            attributes={"attack": list(CLASSES)},
            columns=names,
            normalisation=normalisation,
            notes=[
                *(notes if path and path.name == PART_OF_TRAIN else []),
                "The class u2r is tiny: {} train, {} validation and {} test rows.".format(*rare),
                *_new_attacks_note(tables),
                *_new_categories_notes(tables, train),
            ],
        )


def _new_attacks_note(tables: Mapping[str, Table]) -> list[str]:
    """State how many test rows carry an attack that no row of the training file has."""
    known = set(tables[TRAIN].frame["attack"])
    counts = Counter(name for name in tables[TEST].frame["attack"] if name not in known)
    if not counts:
        return []
    listed = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    return [
        f"{counts.total():,} of {len(tables[TEST].lines):,} test rows are of {len(counts)} attacks "
        f"that train lacks: {listed}."
    ]


def _new_categories_notes(tables: Mapping[str, Table], train: Array) -> list[str]:
    notes = []
    for column in CATEGORIES:
        known = tables[TRAIN].frame[column].iloc[train]
        cells = tables[TEST].frame[column]
        new = cells[~cells.isin(known)]
        if len(new):
            notes.append(
                f"{len(new):,} test rows have a {column} that train lacks "
                f"({', '.join(sorted(set(new)))}); it is encoded as all zeros."
            )
    return notes
