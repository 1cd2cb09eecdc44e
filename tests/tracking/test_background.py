"""MLflow is never in the way: whatever a server does, a sweep neither waits for it nor fails."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from bench.result import Store
from bench.tracking.background import Background, log_suite
from bench.tracking.tracker import TrackingUnavailable
from tests.tracking.broken_servers import NOBODY, WAYS, listening
from tests.tracking.tracking_examples import make_plan, stored

DEADLINE = 1.0


def ready(background: Background) -> None:
    """Wait until the process has imported MLflow, which no deadline counts."""
    begun = time.monotonic()
    while not background.ready:
        background._hear(0.1)
        assert time.monotonic() - begun < 120


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("broken") / "results"
    stored(out, "s")
    return out


@pytest.fixture(scope="module")
def logging_to(out: Path) -> Iterator[dict[str, Background]]:
    """A process for every broken server; they start side by side, because that takes seconds."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", f"{DEADLINE:g}")
        uris = {name: stack.enter_context(listening(way)) for name, way in WAYS.items()}
        uris |= {name: uri() for name, uri in NOBODY.items()}
        processes = {name: stack.enter_context(Background(uri, out)) for name, uri in uris.items()}
        for process in processes.values():
            ready(process)
        yield processes


@pytest.mark.parametrize("name", [*WAYS, *NOBODY])
def test_a_broken_server_delays_no_trial_and_the_end_by_a_stated_time(
    logging_to: dict[str, Background], out: Path, name: str
) -> None:
    background, plan = logging_to[name], make_plan("s")
    begun = time.monotonic()
    for trial in plan.trials * 500:
        background.trial("s", trial.key)
    assert time.monotonic() - begun < 1
    begun = time.monotonic()
    with pytest.raises(TrackingUnavailable) as caught:
        log_suite(background, Store(out), plan, Console(file=io.StringIO()))
    assert time.monotonic() - begun < DEADLINE + 2
    message = str(caught.value)
    assert "2,000 of 2,000 results were not logged" in message
    assert "`bench log`" in message
    assert "\n" not in message
