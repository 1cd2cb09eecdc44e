"""Published methods of trustworthy machine learning against their baselines, many seeds each.

This module is the package's public face. `import bench` loads nothing heavy: a name of `__all__` is
imported from its module when it is first used.

| names | use |
|---|---|
| `Debiaser`, `Defender`, `Attacker`, `FairTrainer` | the contracts: base classes of methods |
| `DebiasingTask`, `PoisoningTask`, `GroupTask`, `Defence` | what a method is given and returns |
| `Context`, `Batch` | the training loop, random generators and caches that a method may use |
| `Method`, `Paper`, `make`, `method_class` | methods by name: `make("bade", {"temperature": 4})` |
| `DataSet`, `Library`, `data_sets` | data sets by name, and the folder of prepared data |
| `Suite`, `find_suite`, `read_suite`, `suite_names` | suites: `read_suite(find_suite("adult"))` |
| `Plan`, `Result`, `Status`, `Store` | the result files of a sweep: `Store(Path("results"))` |
| `build` | the pages of a folder of results |

The methods themselves are the modules of `bench.methods` and `bench.baselines`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.data.dataset import DataSet, Library, data_sets
    from bench.learning.loop import Context
    from bench.learning.split import Batch
    from bench.method import Method, Paper, make, method_class
    from bench.reports.site import build
    from bench.result import Plan, Result, Status, Store
    from bench.suites.reader import Suite, find_suite, read_suite, suite_names
    from bench.tracks.debiasing import Debiaser, DebiasingTask
    from bench.tracks.imperceptibility import Attacker
    from bench.tracks.poisoning import Defence, Defender, PoisoningTask
    from bench.tracks.robust_fairness import FairTrainer, GroupTask

__all__ = [
    "Attacker",
    "Batch",
    "Context",
    "DataSet",
    "Debiaser",
    "DebiasingTask",
    "Defence",
    "Defender",
    "FairTrainer",
    "GroupTask",
    "Library",
    "Method",
    "Paper",
    "Plan",
    "PoisoningTask",
    "Result",
    "Status",
    "Store",
    "Suite",
    "__version__",
    "build",
    "data_sets",
    "find_suite",
    "make",
    "method_class",
    "read_suite",
    "suite_names",
]
__version__ = "0.1.0"

_NAMES = {
    "data.dataset": "DataSet Library data_sets",
    "learning.loop": "Context",
    "learning.split": "Batch",
    "method": "Method Paper make method_class",
    "reports.site": "build",
    "result": "Plan Result Status Store",
    "suites.reader": "Suite find_suite read_suite suite_names",
    "tracks.debiasing": "Debiaser DebiasingTask",
    "tracks.imperceptibility": "Attacker",
    "tracks.poisoning": "Defence Defender PoisoningTask",
    "tracks.robust_fairness": "FairTrainer GroupTask",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A public name, imported at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, also those that were not used yet."""
    return sorted({*globals(), *__all__})
