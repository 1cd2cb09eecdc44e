"""What a trial's log keeps, and what it leaves to others."""

from __future__ import annotations

import logging
import warnings

import pytest

from bench.runner.trial_log import LINES, LONGEST, TrialLog


def test_logging_and_warnings_are_kept_in_order_without_folders() -> None:
    log = TrialLog().begin()
    logging.getLogger("bench.loss").warning("loss is %s", "large")
    with pytest.warns(UserWarning, match="lonely"):
        warnings.warn("heard by the test alone: lonely", UserWarning, stacklevel=1)
    warnings.simplefilter("always")
    warnings.warn("few samples\nin group 1", RuntimeWarning, stacklevel=1)
    log.end()
    lines = log.text.splitlines()
    assert lines[0] == "WARNING bench.loss: loss is large"
    assert lines[1].startswith("RuntimeWarning (test_trial_log.py, line ")
    assert lines[1].endswith("): few samples")
    assert lines[2] == "in group 1"
    assert len(lines) == 3


def test_nothing_is_heard_after_the_end() -> None:
    log = TrialLog().begin()
    log.end()
    logging.getLogger().warning("too late")
    assert log.text == ""
    assert log not in logging.getLogger().handlers


def test_a_later_trial_of_the_process_is_warned_again() -> None:
    def trial() -> str:
        log = TrialLog().begin()
        warnings.simplefilter("default")
        warnings.warn("once a place", UserWarning, stacklevel=1)
        log.end()
        return log.text

    assert [text.count("once a place") for text in (trial(), trial())] == [1, 1]


def test_only_the_last_lines_are_kept_and_none_is_endless() -> None:
    log = TrialLog().begin()
    for number in range(LINES + 5):
        logging.getLogger("many").warning("%d%s", number, "x" * 2 * LONGEST)
    log.end()
    lines = log.text.splitlines()
    assert len(lines) == LINES
    assert lines[0].startswith("WARNING many: 5x")
    assert {len(line) for line in lines} == {LONGEST}


def test_a_logged_exception_brings_its_traceback() -> None:
    log = TrialLog().begin()
    try:
        int("broken")
    except ValueError:
        logging.getLogger("work").exception("went on without it")
    log.end()
    assert log.text.splitlines()[0] == "ERROR work: went on without it"
    assert log.text.splitlines()[-1].startswith("ValueError: invalid literal")
