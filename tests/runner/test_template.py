"""The warm process: fresh children, their values and errors, and an end for each of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench.errors import BenchError, UsageError
from bench.runner.template import Call, Ended, Fault, Template, TemplateDied, how_it_ended, packed

HERE = __name__


# Functions that children call


def changed(folder: Path) -> tuple[str, str, int]:
    """What a child sees of what others may change; it changes all of it itself."""
    seen = str(Path.cwd()), os.environ.get("OF_A_CHILD", "nothing"), sys.getrecursionlimit()
    os.chdir(folder)
    os.environ["OF_A_CHILD"] = "something"
    sys.setrecursionlimit(5000)
    return seen


def mistaken() -> None:
    raise UsageError("--suite: there is no such thing.")


def full() -> None:
    raise OSError(28, "No space left on device", "results")


def faulty() -> None:
    raise ZeroDivisionError("ours")


def gone() -> None:
    os._exit(3)


def killed_until(file: Path) -> str:
    """Killed at the first call; the second one finds what the first one wrote."""
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def always_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killing_the_template(file: Path) -> str:
    if not file.exists():
        file.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return "alive"


def interrupted(file: Path) -> None:
    """Runs until Ctrl-C, and cleans up after itself."""
    file.touch()
    try:
        time.sleep(60)
    finally:
        file.unlink()


def exit_with(code: int) -> int:
    return code


def sleeping() -> None:
    time.sleep(600)


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    with Template() as template:
        template.prepare([HERE], [])
        yield template


def test_a_child_sees_nothing_of_what_another_one_changed(
    template: Template, tmp_path: Path
) -> None:
    first, second = (template.call(f"{HERE}:changed", tmp_path) for _ in range(2))
    assert first == second
    assert second[1] == "nothing"


def test_a_mistake_a_full_disk_and_a_fault_arrive_as_what_they_are(template: Template) -> None:
    with pytest.raises(BenchError, match="there is no such thing"):
        template.call(f"{HERE}:mistaken")
    with pytest.raises(OSError, match="No space left") as caught:
        template.call(f"{HERE}:full")
    assert (caught.value.errno, caught.value.filename) == (28, "results")
    with pytest.raises(Fault, match="ZeroDivisionError: ours"):
        template.call(f"{HERE}:faulty")
    with pytest.raises(Fault, match="ended with exit code 3"):
        template.call(f"{HERE}:gone")


def test_a_killed_child_or_template_is_replaced_and_one_that_always_dies_is_named(
    template: Template, tmp_path: Path
) -> None:
    assert template.call(f"{HERE}:killed_until", tmp_path / "child") == "alive"
    assert template.call(f"{HERE}:killing_the_template", tmp_path / "template") == "alive"
    with pytest.raises(BenchError, match=r"was killed by SIGKILL 3 times"):
        template.call(f"{HERE}:always_killed")


def test_ctrl_c_interrupts_the_child_in_order(template: Template, tmp_path: Path) -> None:
    file = tmp_path / "file"

    def press() -> None:
        while not file.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        template.call(f"{HERE}:interrupted", file)
    presser.join()
    assert not file.exists()


def test_every_end_is_heard_with_its_exit_code(template: Template) -> None:
    jobs = {template.start(Call(f"{HERE}:exit_with", packed(code))): code for code in range(5)}
    slow = template.start(Call(f"{HERE}:sleeping", packed()))
    template.signal(slow)
    codes: dict[int, int] = {}
    while len(codes) < 6:
        codes |= {e.job: e.code for e in template.events(20) if isinstance(e, Ended)}
    assert codes == jobs | {slow: -signal.SIGKILL}
    assert how_it_ended(codes[slow]) == "was killed by SIGKILL"


def test_children_end_with_the_template_and_the_template_with_its_parent() -> None:
    for end in ("close", "kill"):
        with Template() as template:
            template.prepare([HERE], [])
            template.start(Call(f"{HERE}:sleeping", packed()))
            [begun] = template.events(20)
            child = psutil.Process(begun.pid)
            if end == "kill":
                child.parent().kill()
                with pytest.raises(TemplateDied, match="was killed by SIGKILL"):
                    list(template.events(20))
            else:
                template.close()
            with suppress(psutil.NoSuchProcess):
                child.wait(20)
