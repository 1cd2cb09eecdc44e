"""A git branch as a place to publish, written without a checkout.

Objects, a tree in an index of our own, a commit, and the branch's ref: neither the working tree
nor the repository's index nor any other branch is touched.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks.errors import BenchError, UsageError
from benchmarks.publishing import MANIFEST, Changes, Files, decide, read_manifest, sha256

FILE_MODES = ("100644", "100755")


@dataclass(frozen=True)
class Branch:
    """A branch that shares no history with the others and holds a site.

    Attributes:
        repository: A folder in the repository.
        name: The branch.
        remote: Where to push to, and where to begin when only the remote has the branch yet.
        message: Of the commit.
        push: Whether to push the branch afterwards.
    """

    repository: Path
    name: str = "gh-pages"
    remote: str = "origin"
    message: str = "Pages"
    push: bool = False

    def changes(self, files: Files) -> Changes:
        """What publishing would do; writes nothing, not even an object.

        Raises:
            UsageError: No repository, or a name that no branch can have.
            BenchError: The branch is checked out, or holds what bench did not publish.
        """
        self._check()
        there = self._tree()
        if there and MANIFEST not in there:
            raise BenchError(
                f"branch {self.name}: holds files that bench did not publish. "
                "Name another one: --to branch:NAME."
            )
        self._refuse_folders(files, there)
        manifest = self._content(there[MANIFEST]) if there else b"{}"
        owned = read_manifest(manifest, f"branch {self.name}, {MANIFEST}")
        ids = self._ids(files)

        def held(name: str) -> str | None:
            if name not in there:
                return None
            if there[name] == ids.get(name):  # the common case, without reading it back
                return sha256(files[name])
            return hashlib.sha256(self._content(there[name])).hexdigest()

        return decide(files, owned, held, f"branch {self.name}")

    def publish(self, files: Files) -> str:
        """Commit what changed, if anything did, and push where that was asked for."""
        changes = self.changes(files)
        told = f"Branch {self.name} is up to date."
        if changes.any:
            commit = self._commit(files, changes)
            told = f"Branch {self.name} is at {commit[:12]}."
        if not self.push:
            return f"{told} To push it: git push {self.remote} {self.name}"
        ref = f"refs/heads/{self.name}"
        self._git("push", "--quiet", self.remote, f"{ref}:{ref}")
        return f"{told} Pushed to {self.remote}."

    def _check(self) -> None:
        if not self.repository.is_dir():
            raise UsageError(f"{self.repository}: no such folder.")
        try:
            self._git("rev-parse", "--git-dir")
        except BenchError as error:
            raise UsageError(
                f"{self.repository.absolute()}: not in a git repository ({error}). "
                "Name one with --repository, or a folder to publish to."
            ) from error
        if self.name.startswith("-") or self._ref(f"refs/heads/{self.name}", "format") is None:
            raise UsageError(f'--to: "{self.name}" is no name for a branch.')
        trees = self._git("worktree", "list", "--porcelain").splitlines()
        if f"branch refs/heads/{self.name}" in trees:
            raise BenchError(
                f"branch {self.name}: checked out in a working tree, which would no longer fit. "
                "Check out another branch there."
            )

    def _ref(self, ref: str, purpose: str = "value") -> str | None:
        """The commit of a ref, or None; with "format", whether the name is valid."""
        asked = {
            "value": ("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"),
            "format": ("check-ref-format", ref),
        }
        done = self._run(*asked[purpose])
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def _base(self) -> str | None:
        """The commit to build on: the branch, or the remote's where there is no local one."""
        remote = f"refs/remotes/{self.remote}/{self.name}"
        return self._ref(f"refs/heads/{self.name}") or self._ref(remote)

    def _tree(self) -> dict[str, str]:
        """The object of every file on the branch, by path."""
        base = self._base()
        if base is None:
            return {}
        found = {}
        for line in self._git("ls-tree", "-r", "-z", "--full-tree", base).split("\0"):
            if line:
                head, _, name = line.partition("\t")
                mode, _, identity = head.split(" ")
                found[name] = identity if mode in FILE_MODES else f"{mode} {identity}"
        return found

    def _refuse_folders(self, files: Files, there: Mapping[str, str]) -> None:
        for ours, theirs in ((files, there), (there, files)):
            folders = {str(folder) for name in theirs for folder in PurePosixPath(name).parents}
            for name in ours:
                if name in folders:
                    raise BenchError(
                        f"branch {self.name}: {name} is a file on one side and a folder on the "
                        "other. Name another branch: --to branch:NAME."
                    )

    def _content(self, identity: str) -> bytes:
        if " " in identity:
            raise BenchError(f"branch {self.name}: holds a link or a submodule under our name.")
        return self._run("cat-file", "blob", identity, check=True).stdout

    def _ids(self, files: Files, *, write: bool = False) -> dict[str, str]:
        """The identity of each file as an object; with `write` the object is made."""
        paths = "".join(f"{path}\n" for path in files.values())
        options = ["-w"] if write else []
        told = self._git("hash-object", *options, "--no-filters", "--stdin-paths", given=paths)
        return dict(zip(files, told.split(), strict=True))

    def _commit(self, files: Files, changes: Changes) -> str:
        base, local = self._base(), self._ref(f"refs/heads/{self.name}")
        changed = {name: files[name] for name in (*changes.new, *changes.replaced)}
        ids = self._ids(changed, write=True)
        with tempfile.TemporaryDirectory(prefix="bench-index-") as folder:
            own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if base:
                self._git("read-tree", base, env=own)
            lines = "".join(f"100644 {identity}\t{name}\0" for name, identity in ids.items())
            self._git("update-index", "-z", "--index-info", given=lines, env=own)
            gone = "".join(f"{name}\0" for name in changes.removed)
            self._git("update-index", "--force-remove", "-z", "--stdin", given=gone, env=own)
            tree = self._git("write-tree", env=own).strip()
        parents = ["-p", base] if base else []
        commit = self._git("commit-tree", tree, *parents, given=self.message).strip()
        # The old value is named, so that a publication at the same time is never overwritten.
        ref = f"refs/heads/{self.name}"
        self._git("update-ref", "-m", "bench publish", ref, commit, local or "")
        return commit

    def _git(self, *words: str, given: str = "", env: Mapping[str, str] | None = None) -> str:
        return self._run(*words, given=given, env=env, check=True).stdout.decode()

    def _run(
        self,
        *words: str,
        given: str = "",
        env: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            done = subprocess.run(  # noqa: S603 - git with our own words, no shell
                ["git", *words],  # noqa: S607 - whichever git the user has
                cwd=self.repository,
                input=given.encode(),
                env={**os.environ, "LC_ALL": "C", **(env or {})},
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise BenchError(f"git cannot be run ({error.strerror}). Install it.") from error
        if check and done.returncode:
            lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line]
            fatal = [line for line in lines if line.startswith(("fatal:", "error:", " !"))]
            raise BenchError(
                f"git {words[0]}: {' '.join((fatal or lines or ['failed'])[0].split())}"
            )
        return done
