"""What is sent to a cluster: our packages, the study file, its code; data only if asked, secrets never.

A job's folder on the nodes looks like this::

    search/ trainables/ spaces/ thawline.py     this project, as it is here
    requirements.txt                            with --uv: the versions that are installed here
    study/flowers.yaml study/my_net.py          the study file and the Python files beside and beneath it
    study/sent/data.path/flowers/               with --data: what the study names
"""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from search.config import StudyConfig, absolute
from search.layering import Resolved, as_written, resolve
from search.passwords import holds_password
from search.setup import names_functions
from spaces.errors import BadInput, Problem

LIMIT = 100 * 2**20  # bytes that Ray's Jobs API takes in one upload
SHOWN = 5  # of the largest files
STUDY = PurePosixPath("study")
OWN = ("search", "trainables", "spaces")
SECRET_FILES = (
    *(".env*", "*.env", ".netrc", ".pgpass", ".git-credentials", "credentials", "auth_token", "id_rsa*", "id_ed25519*"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx"),
)
LEFT_OUT = (".gitignore", ".rayignore")  # Ray would read them and leave files out that are to be sent
SEARCHED = 2**20  # bytes: a file up to this size is searched for the token
SHORTEST = 16  # characters of a token that is no word; Ray's have 64
RUNS = "~/thawline-runs"  # on the head, where the study names no place that lasts longer than a job's own folder
NAMED = ("data.path", "data.train", "data.val", "data.test", "weights", "model")


@dataclass(frozen=True)
class Parcel:
    """What is sent: which file goes where in the job's folder, and how the study is run there."""

    config: StudyConfig
    runs: str  # where its run folder is made on the cluster
    files: Mapping[PurePosixPath, Path]
    study: PurePosixPath
    overrides: tuple[str, ...]
    texts: Mapping[PurePosixPath, str] = field(default_factory=dict)  # what is written for the job alone

    @property
    def size(self) -> int:
        """Bytes of the upload: Ray stores and does not compress, with a header for each file."""
        headers = sum(200 + 2 * len(str(target)) for target in self.files)
        return headers + sum(file.stat().st_size for file in self.files.values())

    def write(self, folder: Path) -> None:
        """Copy everything into ``folder``, so that nothing changes while it is sent."""
        for target, file in self.files.items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / target)
        for target, text in self.texts.items():
            (folder / target).write_text(text, encoding="utf-8")


def parcel(
    study: Path, overrides: Sequence[str] = (), *, data: bool = False, include: Sequence[str] = (), secret: str = ""
) -> Parcel:
    """Return what is sent for ``study``.

    Args:
        study: The study file.
        overrides: ``key=value`` strings as after ``-o``.
        data: Send the data, weights and network folders that the study names.
        include: Files and folders sent besides, relative to the study file.
        secret: A token that no file may hold.

    Raises:
        BadInput: the study is not sound, names something that the nodes would not find, or what is to be
            sent holds a secret or is too large; every problem of one kind at once.
    """
    written = as_written(study, overrides)
    home = study.absolute().parent
    named = _named(written, home)
    resolved = resolve(study, overrides, look=data or all(file.exists() for file, _ in named.values()))
    files = {**dict(_own()), STUDY / study.name: study, **dict(_code(resolved)), **dict(_beside(include, home))}
    moved = []
    if data:
        for key, (file, form) in named.items():
            target = PurePosixPath("sent", key, file.name)
            files.update(_below(file, STUDY / target))
            moved.append(f"{key}={json.dumps(f'{form}{target}')}")  # quoted, as YAML reads it
    elif near := [key for key, (_, form) in named.items() if _is_relative(written, key, form)]:
        raise BadInput(Problem(key, _not_sent(named[key][0])) for key in near)
    _check_secrets(files, [study.read_text(encoding="utf-8"), *overrides], secret)
    sent = Parcel(resolved.config, _runs(written), files, STUDY / study.name, (*overrides, *moved))
    if sent.size > LIMIT:
        raise BadInput.at(str(study), _too_large(sent))
    return sent


def with_requirements(sent: Parcel, ray: str) -> Parcel:
    """Return the parcel with the versions that are installed here, for nodes that install them; Ray's is theirs."""
    return replace(sent, texts={**sent.texts, PurePosixPath("requirements.txt"): requirements(ray)})


def requirements(ray: str) -> str:
    """Return this project's dependencies, each at the version installed here, Ray at the cluster's."""
    from importlib import metadata

    from packaging.requirements import Requirement
    from packaging.version import Version

    lines = []
    for text in metadata.requires("thawline") or ():
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
        there = ray if wanted.name == "ray" else Version(metadata.version(wanted.name)).public
        lines.append(f"{wanted.name}{extras}=={there}")
    return "\n".join(sorted(lines)) + "\n"


def in_shell(path: str) -> str:
    """Return ``path`` quoted for a shell that knows what ``~`` is."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


def _named(written: Mapping[str, Any], home: Path) -> dict[str, tuple[Path, str]]:
    """Return the files and folders that the study names, by key, with what stands before the path in the value."""
    found = {}
    for key in NAMED:
        value = _value(written, key)
        if not isinstance(value, str) or value in ("default", "none"):
            continue
        form, colon, rest = value.partition(":") if key == "model" else ("", "", value)
        path = Path(absolute(rest, home))
        if key != "model" or (form == "transformers" and path.is_dir()):
            found[key] = (path, form + colon)
    return found


def _value(written: Mapping[str, Any], key: str) -> Any:
    here: Any = written
    for name in key.split("."):
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _runs(written: Mapping[str, Any]) -> str:
    runs = str(_value(written, "storage.runs") or "").rstrip("/")
    return runs if "://" in runs or runs.startswith(("/", "~/")) else RUNS


def _is_relative(written: Mapping[str, Any], key: str, form: str) -> bool:
    return not Path(str(_value(written, key)).removeprefix(form)).expanduser().is_absolute()


def _not_sent(path: Path) -> str:
    return f"{path} is on this machine and is not sent; --data sends it, or name a path that every node has"


def _own() -> Iterator[tuple[PurePosixPath, Path]]:
    root = Path(__file__).resolve().parents[2]
    yield PurePosixPath("thawline.py"), root / "thawline.py"
    for package in OWN:
        yield from _below(root / package, PurePosixPath(package))


def _code(resolved: Resolved) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield the Python files beside and beneath the study file, if it names functions of the user's."""
    if names_functions(resolved.config):
        for file in _python_files(resolved.folder):
            yield STUDY / file.relative_to(resolved.folder).as_posix(), file


def _beside(include: Sequence[str], home: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    for name in include:
        path = home / name
        if Path(name).is_absolute() or ".." in Path(name).parts or not path.exists():
            raise BadInput.at(
                f"--include {name}", f"must be a file or folder beside or beneath the study file in {home}"
            )
        yield from _below(path, STUDY / PurePosixPath(name))


def _below(path: Path, target: PurePosixPath) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield the file ``path``, or every file beneath it, with where it goes; caches and repositories stay here."""
    if path.is_file():
        yield target, path
        return
    for folder, folders, names in os.walk(path, followlinks=True):
        here = [name for name in sorted(folders) if name not in ("__pycache__", ".git")]
        folders[:] = [name for name in here if not _leads_back(Path(folder, name))]
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and name not in LEFT_OUT:
                yield target / file.relative_to(path).as_posix(), file


def _leads_back(folder: Path) -> bool:
    """Tell whether a folder is a link to one of those that it was reached by."""
    return folder.is_symlink() and folder.resolve() in (each.resolve() for each in folder.parents)


def _python_files(folder: Path) -> list[Path]:
    """Return the Python files that git knows or would take.

    Without git, and where git ignores the folder itself: all but those of hidden folders and venvs.
    """
    git = ["git", "-C", str(folder)]
    listing = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py"]
    try:
        if subprocess.run([*git, "check-ignore", "-q", "."], capture_output=True).returncode == 0:
            return sorted(_walked(folder))
        done = subprocess.run(listing, capture_output=True, check=True)
        found = [folder / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
        return sorted(file for file in found if file.is_file())
    except (OSError, subprocess.CalledProcessError):
        return sorted(_walked(folder))


def _walked(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        if "pyvenv.cfg" in names or "optuna.journal" in names:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        yield from (Path(here, name) for name in names if name.endswith(".py"))


def _check_secrets(files: Mapping[PurePosixPath, Path], texts: Iterable[str], secret: str) -> None:
    """Refuse what must not leave this machine.

    Raises:
        BadInput: a file by its name or its content, or a password in the study.
    """
    out = "is never sent: it may hold secrets; move it out of what is sent, or rename it if it holds none"
    problems = [
        Problem(str(file), out)
        for target, file in files.items()
        if any(_is_secret(name) for name in (*target.parts, file.resolve().name))
    ]
    if any(holds_password(text) for text in texts):
        message = "holds an address with a password, which would be sent and shown; keep it in ~/.pgpass on the nodes"
        problems.append(Problem("study", message))
    if len(secret) >= SHORTEST:
        held = [
            file for file in files.values() if file.stat().st_size <= SEARCHED and secret.encode() in file.read_bytes()
        ]
        problems += [Problem(str(file), "holds the cluster's token, which is never sent; take it out") for file in held]
    if problems:
        raise BadInput(problems)


def _is_secret(name: str) -> bool:
    return any(fnmatch.fnmatch(name.lower(), pattern) for pattern in SECRET_FILES)


def _too_large(sent: Parcel) -> str:
    largest = sorted(sent.files.values(), key=lambda file: file.stat().st_size, reverse=True)[:SHOWN]
    matter = [file for file in largest if file.stat().st_size >= sent.size / 100] or largest
    listed = ", ".join(f"{file} ({_mib(file.stat().st_size)})" for file in matter)
    out = "put large files where every node reads them, a shared folder, and name that in the study file"
    return f"would send {_mib(sent.size)}, a cluster takes {_mib(LIMIT)}; the largest: {listed}; {out}"


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
