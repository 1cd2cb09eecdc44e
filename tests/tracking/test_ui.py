"""MLflow's real server: written to over HTTP, read back over plain REST, ended cleanly."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.result import Store
from bench.tracking import ui
from bench.tracking.tracker import Tracker, default_uri, serve
from bench.tracking.ui import answers, searches, server_command, server_environment, stop
from tests.tracking.tracking_examples import free_port, make_plan, make_result, make_results

Server = tuple[str, int]
API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """MLflow on a folder that was logged to without a server, then carried elsewhere."""
    out = tmp_path_factory.mktemp("here") / "results"
    plan = make_plan("carried")
    Tracker(default_uri(out), out).log(plan, make_results(plan)[0])
    moved = tmp_path_factory.mktemp("elsewhere") / "results"
    shutil.move(out, moved)

    port = free_port()
    command = server_command(moved, "127.0.0.1", port)
    process = subprocess.Popen(
        command, env=server_environment(default_uri(moved)), start_new_session=True
    )
    try:
        assert answers(process, "127.0.0.1", port)
        yield "127.0.0.1", port
    finally:
        stop(process)


def ask(server: Server, method: str, path: str, body: object = None) -> Any:
    return json.loads(read(server, method, path, body))


def read(server: Server, method: str, path: str, body: object = None) -> bytes:
    """One request to the server, without MLflow's client."""
    with closing(http.client.HTTPConnection(*server, timeout=30)) as connection:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    assert response.status == 200, answer
    return answer


def search(server: Server, suite: str, where: str) -> dict[str, dict[str, Any]]:
    """The runs of a suite that a search finds, by name."""
    by_name = f"{API}/experiments/get-by-name?experiment_name={suite}"
    number = ask(server, "GET", by_name)["experiment"]["experiment_id"]
    body = {"experiment_ids": [number], "filter": where}
    found = ask(server, "POST", f"{API}/runs/search", body)["runs"]
    assert len({run["info"]["run_name"] for run in found}) == len(found)
    return {run["info"]["run_name"]: run for run in found}


def numbers(run: dict[str, Any]) -> dict[str, float]:
    return {each["key"]: each["value"] for each in run["data"]["metrics"]}


def artifact(server: Server, run: dict[str, Any], path: str = "result.json") -> bytes:
    """A file of a run, as the server gives it."""
    return read(server, "GET", f"/get-artifact?path={path}&run_uuid={run['info']['run_id']}")


def test_a_real_server_gives_the_numbers_back(server: Server, tmp_path: Path) -> None:
    plan = make_plan("served")
    tracker = Tracker(f"http://{server[0]}:{server[1]}", tmp_path)
    tracker.log_all(plan, make_results(plan))
    tracker.log_all(plan, make_results(plan))

    found = search(server, "served", "tags.suite = 'served' and tags.method = 'bade'")
    assert set(found) == {"bade · sex · seed 0", "bade · sex · seed 1", "bade · sex · summary"}
    trial = numbers(found["bade · sex · seed 1"])
    assert (trial["odds"], trial["used/total_seconds"]) == (0.3, 5.5)
    summary = numbers(found["bade · sex · summary"])
    assert summary["mean/odds"] == pytest.approx(0.2)
    assert summary["std/odds"] == pytest.approx(0.02**0.5)
    assert summary["n/odds"] == 2
    everything = search(server, "served", "")
    assert len(everything) == 7
    archive = artifact(server, everything["A small suite"], "results/results-001.zip")
    with zipfile.ZipFile(io.BytesIO(archive)) as results:
        assert len(results.namelist()) == 4
        assert json.loads(results.read("servedbade1.json"))["metrics"]["odds"] == 0.3
    assert not list(tmp_path.iterdir())


@contextmanager
def counted(server: Server) -> Iterator[tuple[str, list[str]]]:
    """A proxy before a server: its address, and the requests that went through it."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            requests.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with closing(http.client.HTTPConnection(*server, timeout=30)) as connection:
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                answer = response.read()
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.send_header("Content-Length", f"{len(answer)}")
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = forward  # noqa: N815 - their names say the verb

        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", requests
        finally:
            proxy.shutdown()


def test_a_trial_takes_fewer_than_four_requests(server: Server, tmp_path: Path) -> None:
    plan = make_plan("counted")
    seeds = [
        trial.model_copy(update={"seed": seed, "key": f"counted{seed}"})
        for trial, seed in zip(plan.trials[:1] * 40, range(40), strict=True)
    ]
    plan = plan.model_copy(update={"trials": seeds})
    results = [make_result(plan, trial) for trial in seeds]
    with counted(server) as (uri, requests):
        tracker = Tracker(uri, tmp_path)
        with tracker.opened(plan) as suite:
            for result in results:
                suite.log([result])
            suite.log_all(results)
        assert len(requests) < 4 * len(results)
        first = len(requests)
        tracker.log_all(plan, results)
        assert len(requests) - first < 10
    assert len(search(server, "counted", "tags.`bench.kind` = 'trial'")) == 40


def test_artifacts_kept_without_a_server_open_in_one_elsewhere(server: Server) -> None:
    run = search(server, "carried", "tags.seed = '0'")["bade · sex · seed 0"]
    assert json.loads(artifact(server, run))["key"] == "carriedbade0"


def test_the_searches_that_are_printed_find_what_they_say(server: Server, tmp_path: Path) -> None:
    plan = make_plan("adult")
    Store(tmp_path).write_plan(plan)
    Tracker(f"http://{server[0]}:{server[1]}", tmp_path).log_all(plan, make_results(plan))
    found = [set(search(server, "adult", where)) for where in searches(tmp_path).values()]
    assert found == [
        {"mfd · sex · seed 0", "mfd · sex · seed 1", "mfd · sex · summary"},
        {"bade · sex · summary", "mfd · sex · summary"},
        {"mfd · sex · seed 1"},
    ]


def test_searches_name_a_suite_and_a_method_that_are_there(tmp_path: Path) -> None:
    Store(tmp_path).write_plan(make_plan("small"))
    assert "tags.suite = 'small' and tags.method = 'mfd'" in searches(tmp_path).values()
    assert "tags.suite = 'adult' and tags.method = 'bade'" in searches(tmp_path / "none").values()


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port} .*--port"):
            serve(default_uri(tmp_path), tmp_path, "127.0.0.1", port)


def test_a_server_elsewhere_is_only_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve("http://mlflow.example:5000", tmp_path, "127.0.0.1", 1) == 0
    assert "http://mlflow.example:5000" in capsys.readouterr().out


def test_a_server_that_does_not_start_gives_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        ui, "server_command", lambda *_: [sys.executable, "-c", "raise SystemExit(7)"]
    )
    assert serve(default_uri(tmp_path), tmp_path, "127.0.0.1", free_port()) == 7
    assert capsys.readouterr().out == ""


# Stands in for MLflow, which takes many seconds to start: healthy at once, with a worker below it.
STAND_IN = """
import http.server, subprocess, sys
port = int(sys.argv[1])
if len(sys.argv) == 2:
    sys.exit(subprocess.call([sys.executable, sys.argv[0], str(port), "worker"]))
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", port), Healthy).serve_forever()
"""
MAIN = """
import sys
from pathlib import Path
from bench.tracking import ui as mlflow_ui
port, stand_in = int(sys.argv[1]), sys.argv[2]
mlflow_ui.server_command = lambda *_: [sys.executable, stand_in, str(port)]
sys.exit(mlflow_ui.serve("sqlite://", Path(), "127.0.0.1", port))
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_ends_the_server_and_its_workers(tmp_path: Path, sign: signal.Signals) -> None:
    port = free_port()
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    command = [sys.executable, "-c", MAIN, str(port), str(stand_in)]
    environment = os.environ | {"PYTHONPATH": str(Path(ui.__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert f"http://127.0.0.1:{port}" in process.stdout.readline()
            process.send_signal(sign)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_command_line_that_everybody_can_read_holds_no_uri(tmp_path: Path) -> None:
    uri = "postgresql+psycopg2://me:pl4nted@db/mlflow"
    assert "pl4nted" not in str(server_command(tmp_path, "127.0.0.1", 5000))
    told = server_environment(uri)
    assert told["MLFLOW_BACKEND_STORE_URI"] == told["MLFLOW_REGISTRY_STORE_URI"] == uri
