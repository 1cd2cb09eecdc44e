"""How far trials are: written now and then, gone when they end, silent where nobody listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import heartbeat


def test_the_last_line_stands_until_the_trial_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now)
    place = tmp_path / "trial"
    with heartbeat.written_to(place):
        assert heartbeat.read(place) == ""
        heartbeat.report_progress("classifier, epoch", 1, 3)
        assert heartbeat.read(place) == "classifier, epoch 1 of 3"
        now += 0.3
        heartbeat.report_progress("classifier, epoch", 2, 3)
        assert heartbeat.read(place) == "classifier, epoch 1 of 3"
        now += 0.3
        heartbeat.report_progress("classifier, epoch", 3, 3)
        assert heartbeat.read(place) == "classifier, epoch 3 of 3"
    assert list(tmp_path.iterdir()) == []
    assert heartbeat.read(place) == ""


def test_a_trial_that_fails_leaves_no_line_behind(tmp_path: Path) -> None:
    def failing() -> None:
        with heartbeat.written_to(tmp_path / "trial"):
            heartbeat.report_progress("epoch", 1, 2)
            raise ValueError("flux")

    with pytest.raises(ValueError, match="flux"):
        failing()
    assert list(tmp_path.iterdir()) == []
    heartbeat.report_progress("epoch", 2, 2)
    assert list(tmp_path.iterdir()) == []
