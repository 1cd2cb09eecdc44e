"""`bench` and `python -m bench`: the command, guarded from the first import on."""

from __future__ import annotations

from typing import NoReturn

from bench.ending import conclude


def main() -> NoReturn:
    """Run the command. Its imports may fail, too: an installation can be broken."""

    def command() -> object:
        from bench.cli.main import run  # noqa: PLC0415 - within the guard

        return run()

    conclude(command)


if __name__ == "__main__":
    main()
