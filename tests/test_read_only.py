"""Nothing is written but into the named folders and TMPDIR: what `docker run --read-only` needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LOCKED = """
set -eu
work=$1
mount --make-rprivate /
for place in / /tmp; do mount --bind $place $place; mount -o remount,ro,bind $place; done
mount -o bind "$work/out" "$work/out"
mount -o remount,rw,bind "$work/out"
mount -t tmpfs tmpfs "$work/tmp"
cd "$work"
exec setpriv --bounding-set -all --inh-caps -all --no-new-privs "$work/commands.sh"
"""
COMMANDS = """#!/bin/bash
set -eu
! touch /home/x "$HOME/x" x /tmp/x 2>/dev/null
bench() { "$PYTHON" -m bench "$@"; }
bench --suite digits --seeds 1 --methods standard --tasks 'parity|ink' --set training.epochs=1
bench publish --to out/published --yes
bench list
"$PYTHON" -m bench label digits --task badnets --port 0 --tags out/tags.json \\
  --method 'labor[clustering=kmeans,clusters_per_class=5]' >out/label.log & page=$!
for _ in {1..1200}; do sleep .1; ! grep -q 'Open http' out/label.log || break; done
kill -TERM $page
wait $page || [ $? = 143 ]
grep 'Open http' out/label.log
echo done
"""


@pytest.mark.slow
def test_every_command_works_where_only_the_named_folders_are_writable(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount (root)")
    for folder in ("out", "tmp", "home"):
        (tmp_path / folder).mkdir()
    commands = tmp_path / "commands.sh"
    commands.write_text(COMMANDS)
    commands.chmod(0o755)
    out = tmp_path / "out"
    ended = subprocess.run(
        ["unshare", "-m", "bash", "-c", LOCKED, "bash", str(tmp_path)],
        env={
            "PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(tmp_path / "tmp"), "BENCH_OUT": str(out / "results"),
            "BENCH_SITE": str(out / "site"), "BENCH_DATA": str(out / "data"),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("done\n")
    assert (out / "published" / "digits" / "index.html").exists()
    assert (out / "results" / "mlflow.db").exists()
    assert list((tmp_path / "home").iterdir()) == []
