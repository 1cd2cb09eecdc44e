"""CIC-IDS2017: the traps of the eight official files, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.cicids2017 import FEATURES, FILES, OTHER_ATTACKS, plain_label
from bench.data.dataset import Library, data_set
from bench.data.splitting import TrainSizeOptions
from bench.errors import DataError, UsageError
from tests.data.picture_examples import zipped
from tests.data.raw_examples import assert_nothing_is_left
from tests.data.traffic_examples import flow_files, flow_header, flow_row, write_cicids2017

OPTIONS = TrainSizeOptions()
HULK = FILES[2]


def test_77_features_are_left_of_78_columns() -> None:
    header = flow_header().split(",")
    assert len(header) == 79
    assert header.count(" Fwd Header Length") == 2
    assert len(FEATURES) == len(set(FEATURES)) == 77
    assert {"Max Packet Length", "Average Packet Size", "Fwd IAT Std"} <= set(FEATURES)


def test_flows_stand_in_their_rows_standardised_by_train(example_signals: Library) -> None:
    meta = example_signals.meta("cicids2017")
    assert meta is not None
    assert meta.columns == list(FEATURES)
    assert meta.attributes == {"attack": ["benign", "DoS Hulk", "PortScan", "DDoS"]}
    assert meta.sizes == {"train": 56, "validation": 8, "test": 16}
    splits = example_signals.splits("cicids2017", "attack", OPTIONS)
    known, column = meta.normalisation["Flow Duration"], FEATURES.index("Flow Duration")
    assert splits["train"].x[:, column].mean() == pytest.approx(0, abs=1e-6)
    assert splits["train"].x[:, column].std() == pytest.approx(1, abs=1e-6)
    durations = np.concatenate([split.x[:, column] for split in splits.values()])
    found = np.sort(np.rint(durations * known["std"] + known["mean"]).astype(int))
    assert found.tolist() == sorted(4 * list(range(20)))
    others = np.delete(np.arange(77), column)
    assert not splits["test"].x[:, others].any()  # constant columns


def test_other_attacks_are_left_out_and_counted(example_signals: Library) -> None:
    meta = example_signals.meta("cicids2017")
    assert meta is not None
    assert meta.notes[0] == (
        "7 rows of other attacks are left out: bot 2, ftp patator 1, ssh patator 1, "
        "web attack xss 1, web attack sql injection 1, infiltration 1."
    )


@pytest.mark.parametrize("dash", ["\x96", "\ufffd", "-", "–"])
def test_the_broken_dash_of_web_attacks_is_read_in_every_form(dash: str) -> None:
    for name in ("Brute Force", "XSS", "Sql Injection"):
        assert plain_label(f"Web Attack {dash} {name}") in OTHER_ATTACKS


def test_nan_and_infinity_are_dropped_and_counted_by_column(library: Library) -> None:
    rows = flow_files()[HULK]
    bad = [
        flow_row("DoS Hulk", **{"Flow_Bytes/s": "Infinity", "Flow_Packets/s": "Infinity"}),
        flow_row("DoS Hulk", **{"Flow_Bytes/s": "NaN", "Flow_Packets/s": "Infinity"}),
        flow_row("DoS Hulk", **{"Flow_Bytes/s": ""}),
    ]
    write_cicids2017(library, {HULK: [*rows[:10], *bad, *rows[10:]]})
    meta = library.prepare("cicids2017")
    assert sum(meta.sizes.values()) == 80
    assert meta.notes[0] == (
        "3 of 90 rows hold NaN or infinity and are left out: Flow Bytes/s 3, Flow Packets/s 2."
    )


def test_blank_rows_are_skipped(library: Library) -> None:
    write_cicids2017(library, {HULK: [*flow_files()[HULK], "," * 78, "", "," * 78]})
    meta = library.prepare("cicids2017")
    assert sum(meta.sizes.values()) == 80
    assert "3 blank rows are skipped." in meta.notes


def test_equal_flows_are_counted_with_those_on_both_sides(library: Library) -> None:
    rows = [flow_row("DoS Hulk")] * 20
    write_cicids2017(library, {HULK: rows})
    assert library.prepare("cicids2017").notes[-2] == (
        "19 of 80 rows repeat another row; 4 test rows also occur in train."
    )


def test_malformed_rows_are_named_by_file_line_and_column(library: Library) -> None:
    write_cicids2017(
        library,
        {
            HULK: [
                flow_row("DoS Hulk", Flow_Duration="long"),
                flow_row("Teapot"),
                *flow_files()[HULK],
                "80,38308,1",
            ]
        },
    )
    meta = library.prepare("cicids2017")
    assert sum(meta.sizes.values()) == 80
    assert meta.notes[0] == (
        f"{HULK}: 3 unusable rows are left out: line 3, column Label (unknown label 'Teapot'), "
        "line 24, column Label (unknown label nan), "
        "line 2, column Flow Duration ('long' is not a number)."
    )


def test_chunks_do_not_show(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {HULK: [*flow_files()[HULK], flow_row("Teapot"), flow_row("DoS Hulk", Idle_Min="")]}
    write_cicids2017(library, changed)
    whole = library.prepare("cicids2017")
    monkeypatch.setattr("bench.data.cicids2017.CHUNK", 7)
    parts = library.prepare("cicids2017")
    assert parts.notes == whole.notes
    assert parts.normalisation["Flow Duration"] == pytest.approx(
        whole.normalisation["Flow Duration"]
    )
    assert f"{HULK}: 1 unusable rows are left out: line 22, " in whole.notes[0]


def test_the_official_zip_and_its_folder_are_read(library: Library) -> None:
    folder = write_cicids2017(library)
    first = library.prepare("cicids2017").hash
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    for name in files:
        (folder / name).unlink()
    archive = folder / "MachineLearningCSV.zip"
    archive.write_bytes(zipped({f"MachineLearningCVE/{k}": v for k, v in files.items()}))
    assert library.prepare("cicids2017").hash == first
    archive.unlink()
    write_cicids2017(library, inside="MachineLearningCVE")
    assert library.prepare("cicids2017").hash == first


def test_what_is_missing_is_fetched_by_hand(library: Library) -> None:
    folder = write_cicids2017(library)
    (folder / FILES[7]).unlink()
    with pytest.raises(UsageError) as error:
        library.get("cicids2017")
    assert FILES[7] in str(error.value)
    assert FILES[6] not in str(error.value)
    assert "https://www.unb.ca/cic/datasets/ids-2017.html" in str(error.value)


def test_the_task_stands_beside_the_figures_of_the_paper() -> None:
    assert data_set("cicids2017").tasks["attack"].published == "cicids2017/feature"


BROKEN = {
    "a class absent": (
        {FILES[7]: [flow_row("BENIGN", Flow_Duration=99)]},
        "split has no row with attack = DDoS",
    ),
    "many malformed rows": (
        {HULK: [flow_row("Teapot")] * 11},
        f"{HULK}: 11 of 11 rows cannot be used, more than the 10 that are tolerated: line 2, "
        "column Label (unknown label 'Teapot')",
    ),
    "too many cells": (
        {HULK: [*flow_files()[HULK], flow_row("DoS Hulk") + ",1"]},
        f"{HULK}: not a table",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    changed, message = BROKEN[what]
    write_cicids2017(library, changed)
    with pytest.raises(DataError) as error:
        library.prepare("cicids2017")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_a_column_that_is_missing_is_named(library: Library) -> None:
    folder = write_cicids2017(library)
    text = (folder / HULK).read_text("latin-1").replace("Idle Min", "Idle Minimum")
    (folder / HULK).write_text(text, "latin-1")
    with pytest.raises(DataError, match=f"{HULK}: has no column Idle Min. Is this the official"):
        library.prepare("cicids2017")
