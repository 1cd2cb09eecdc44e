"""Small raw files of the traffic data sets, in their exact official layouts, built by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.data.cicids2017 import FEATURES, FILES
from bench.data.dataset import Library

TRAIN_ATTACKS = ("normal", "neptune", "satan", "guess_passwd", "rootkit")
TEST_ATTACKS = ("normal", "apache2", "mscan", "snmpguess", "ps")


def kdd_row(attack: str, duration: object = 0, service: str = "http", protocol: str = "tcp") -> str:
    """41 features, the attack and the difficulty; only three features are not 0."""
    return ",".join([str(duration), protocol, service, "SF", *["0"] * 37, attack, "21"])


def kdd_train() -> list[str]:
    """Ten rows of each class, durations 0 to 9."""
    return [kdd_row(attack, i) for attack in TRAIN_ATTACKS for i in range(10)]


def kdd_test() -> list[str]:
    """A row of each class; four attacks that train lacks, and one new service."""
    return [kdd_row(attack, 4, "http" if i else "tftp_u") for i, attack in enumerate(TEST_ATTACKS)]


def write_nsl_kdd(
    library: Library,
    train: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
    train_file: str = "KDDTrain+.txt",
) -> Path:
    """Both files."""
    folder = library.folder / "raw" / "nsl_kdd"
    folder.mkdir(parents=True, exist_ok=True)
    rows = {train_file: kdd_train() if train is None else train}
    rows["KDDTest+.txt"] = kdd_test() if test is None else test
    for name, lines in rows.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def flow_header() -> str:
    """As in the public files: a space before nearly every name, one column twice."""
    names = list(FEATURES)
    names.insert(names.index("Avg Bwd Segment Size") + 1, "Fwd Header Length")
    return ", ".join(["", *names, "Label"]).removeprefix(",")


def flow_row(label: str, **cells: object) -> str:
    """78 numbers and the label: all 1, but for the columns named with _ for a space."""
    names = flow_header().split(",")[:-1]
    given = {name.replace("_", " "): value for name, value in cells.items()}
    return ",".join([*(str(given.get(name.strip(), 1)) for name in names), label])


FLOW_FILE_OF = {
    "BENIGN": FILES[0],
    "DoS Hulk": FILES[2],
    "PortScan": FILES[6],
    "DDoS": FILES[7],
}


def flow_files() -> dict[str, list[str]]:
    """Twenty rows of each class, flow durations 0 to 19; one or two others in the other files."""
    files: dict[str, list[str]] = {name: [flow_row("BENIGN")] for name in FILES}
    for label, name in FLOW_FILE_OF.items():
        files[name] = [flow_row(label, Flow_Duration=i) for i in range(20)]
    files[FILES[1]] = [flow_row("FTP-Patator"), flow_row("SSH-Patator")]
    files[FILES[3]] = [
        flow_row("Web Attack \x96 XSS"), flow_row("Web Attack \x96 Sql Injection"),
    ]  # fmt: skip
    files[FILES[4]] = [flow_row("Infiltration")]
    files[FILES[5]] = [flow_row("Bot"), flow_row("Bot")]
    return files


def write_cicids2017(
    library: Library, changed: Mapping[str, Sequence[str]] | None = None, inside: str = ""
) -> Path:
    """The eight files (in a folder `inside`); `changed` replaces the rows of some."""
    folder = library.folder / "raw" / "cicids2017" / inside
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {**flow_files(), **(changed or {})}.items():
        # latin-1: the dash of the web attacks is the lone byte 0x96, as in the public files
        (folder / name).write_text("\n".join([flow_header(), *rows]) + "\n", "latin-1")
    return folder
