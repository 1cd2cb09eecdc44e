"""`bench ui`: MLflow's own server on the results of this folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import typer

from bench.listening import EVERYWHERE, bound, interrupted_by_sigterm
from bench.privacy import public_word
from bench.result import Store

NO_TELEMETRY = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
SECONDS_TO_STOP = 10.0


def serve(uri: str, out: Path, host: str = "127.0.0.1", port: int = 5000) -> int:
    """Run MLflow's server until Ctrl-C or SIGTERM.

    Args:
        uri: The store to show. For a server that already runs, only its address is printed.
        out: The results folder, which holds the artifacts.
        host: Address to listen on; other machines reach it only if it is not the default.
        port: Port to listen on.

    Returns:
        0 after Ctrl-C or SIGTERM, otherwise the exit code of the server.

    Raises:
        UsageError: The address cannot be listened on.
    """
    if uri.startswith(("http://", "https://")):
        _announce(uri, out)
        return 0
    bound(host, port).close()
    # In a session of its own the server gets no Ctrl-C: this process ends it with its workers.
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        server_command(out, host, port), env=server_environment(uri), start_new_session=True
    )
    try:
        with interrupted_by_sigterm():
            if answers(process, host, port):
                _announce(f"http://{EVERYWHERE.get(host, host)}:{port}", out)
            return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(process)


def server_command(out: Path, host: str, port: int) -> list[str]:
    """The command line of the server, which also serves the artifacts under `out`."""
    options = {
        "--artifacts-destination": str(out.absolute() / "mlartifacts"),
        "--host": host,
        "--port": str(port),
        "--workers": "1",  # one person looks at it, and SQLite has one writer
        "--uvicorn-opts": "--log-level warning",
    }
    words = [word for option in options.items() for word in option]
    return [sys.executable, "-m", "mlflow", "server", *words]


def server_environment(uri: str) -> dict[str, str]:
    """The environment of the server: no telemetry, two processes instead of ten, and its store.

    Everybody on this machine can read a command line, and the URI may hold a password.
    """
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    store = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_REGISTRY_STORE_URI": uri}
    return NO_TELEMETRY | quiet | os.environ | store


def answers(process: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until the server accepts connections; False where it ended instead.

    It listens only when it has loaded everything, which takes half a minute from a cold disk.
    """
    while process.poll() is None:
        with suppress(OSError):
            socket.create_connection((EVERYWHERE.get(host, host), port), timeout=5).close()
            return True
        time.sleep(0.1)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers: SIGTERM first, SIGKILL after SECONDS_TO_STOP."""
    for sign in (signal.SIGTERM, signal.SIGKILL):  # the second also ends orphaned workers
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sign)
            process.wait(SECONDS_TO_STOP)


def searches(out: Path) -> dict[str, str]:
    """Three useful searches by their purpose, with names from a suite that has results."""
    store = Store(out)
    plans = (plan for suite in store.suites() if (plan := store.read_plan(suite)))
    plan = next(plans, None)
    suite = plan.suite if plan else "adult"
    method = plan.methods[-1].label if plan and plan.methods else "bade"
    return {
        f"every seed of {method}": f"tags.suite = '{suite}' and tags.method = '{method}'",
        "means over seeds, one run a method": "tags.`bench.kind` = 'summary' and tags.stale = 'no'",
        "what did not end well, with the reason as a tag": "tags.status != 'ok'",
    }


def _announce(address: str, out: Path) -> None:
    typer.echo(f"MLflow: {public_word(address)}  (Ctrl-C ends it)")
    typer.echo("Searches worth knowing, for the box above the runs of an experiment (a suite):")
    for meaning, search in searches(out).items():
        typer.echo(f"  {search}\n      {meaning}")
    typer.echo("Tick runs and press Compare; the means stand above the seeds.")
