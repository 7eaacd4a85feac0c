"""The demo registers as files: written once, whole, and again only when something they depend on has changed."""

import hashlib
import json
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from institute_lib import paths, terms
from institute_lib.demo.registers import SEED, Registers, draw
from institute_lib.demo.truths import to_toml
from institute_lib.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
MANIFEST, TRUTH = "manifest.json", "truth.toml"
REFERENCE_FILES = "*.csv"
OTHER_SOURCES = ("terms/demo.toml", "tables/contracts.py")


@dataclass(frozen=True)
class WrittenFile:
    """One file of the demo: rows (0 for one that is no table), bytes, and the SHA-256 of its content."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What stands in the demo's folder. `fresh`: whether this call wrote it."""

    folder: Path
    seed: int
    version: int
    fingerprint: str
    files: tuple[WrittenFile, ...]
    fresh: bool
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """What was written, in one sentence."""
        fields = {
            "tables": sum(file.rows > 0 for file in self.files),
            "rows": terms.number(sum(file.rows for file in self.files), language),
            "megabytes": terms.number(sum(file.bytes for file in self.files) / 1e6, language, 1),
            "seed": self.seed,
        }
        return terms.text("demo.written" if self.fresh else "demo.current", language, **fields)

    def to_frame(self) -> pd.DataFrame:
        """One row a file: name, rows, bytes, sha256."""
        return pd.DataFrame([asdict(file) for file in self.files])


def write(
    folder: Path | str | None = None, *, seed: int = SEED, progress: Callable[[str], None] | None = None
) -> Manifest:
    """Write every demo register as Parquet, with `truth.toml` and `manifest.json`.

    Nothing is done when the folder already holds them whole, from the same seed, code and reference files. Files are
    made beside the folder's own and moved in at the end, the manifest last, so that a stopped run leaves no half draw
    that a later one would take for whole.

    Args:
        folder: where to write; None for the project's `data/demo`.
        seed: of the draw.
        progress: called with the name of each file as it is written.

    Raises:
        DataError: a published figure is missing from the reference files, or cannot be met.
    """
    target = Path(folder) if folder else paths.demo()
    fingerprint = _fingerprint(seed)
    current = _current(target, fingerprint)
    if current:
        return current
    target.mkdir(parents=True, exist_ok=True)
    registers = draw(seed)
    made = Path(tempfile.mkdtemp(prefix=".writing-", dir=target))
    try:
        files = _write_files(registers, made, progress)
        manifest = Manifest(target, seed, VERSION, fingerprint, files, fresh=True)
        _write_manifest(manifest, made)
        _move_in(made, target)
    finally:
        shutil.rmtree(made)
    return manifest


def truth(folder: Path | str | None = None) -> dict[str, Any]:
    """The planted truths of written demo registers (`truth.toml`).

    Raises:
        DataError: no demo registers are there.
    """
    path = (Path(folder) if folder else paths.demo()) / TRUTH
    if not path.is_file():
        raise DataError(f"{path}: no demo registers here; write them with `institute demo`")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _write_files(registers: Registers, made: Path, progress: Callable[[str], None] | None) -> tuple[WrittenFile, ...]:
    import pyarrow.parquet as pq

    files = []
    for name, frame in registers.tables.items():
        if progress:
            progress(f"{name}.parquet")
        path = made / f"{name}.parquet"
        pq.write_table(_marked_table(frame, registers.seed), path, compression="zstd")
        files.append(_written(path, len(frame)))
    if progress:
        progress(TRUTH)
    heading = f"# {terms.text('demo.mark', 'zh')} · {terms.text('demo.mark', 'en')}\n\n"
    (made / TRUTH).write_text(heading + to_toml(registers.truth) + "\n", encoding="utf-8")
    return (*files, _written(made / TRUTH, 0))


def _marked_table(frame: pd.DataFrame, seed: int) -> "pa.Table":
    """The frame in the contract's types, with the demo's mark in the file's own metadata."""
    import pyarrow as pa

    from institute_lib import tables

    checked = tables.validate(str(frame.attrs["name"]), frame)
    table = pa.Table.from_pandas(checked, preserve_index=False)
    mark = {"demo": str(frame.attrs["demo"]), "seed": str(seed), "version": str(VERSION)}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **mark})


def _written(path: Path, rows: int) -> WrittenFile:
    content = path.read_bytes()
    return WrittenFile(path.name, rows, len(content), hashlib.sha256(content).hexdigest())


def _write_manifest(manifest: Manifest, made: Path) -> None:
    content: dict[str, Any] = {
        "seed": manifest.seed,
        "version": manifest.version,
        "fingerprint": manifest.fingerprint,
        "files": [asdict(file) for file in manifest.files],
    }
    (made / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _move_in(made: Path, target: Path) -> None:
    (target / MANIFEST).unlink(missing_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: path.name == MANIFEST):
        path.replace(target / path.name)


def _current(target: Path, fingerprint: str) -> Manifest | None:
    """The manifest of a folder that is whole and up to date, else None."""
    if not (target / MANIFEST).is_file():
        return None
    try:
        content = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        files = tuple(WrittenFile(**file) for file in content["files"])
    except (ValueError, KeyError, TypeError):
        return None  # not a manifest of ours: write afresh
    whole = all((target / file.name).is_file() and _written(target / file.name, file.rows) == file for file in files)
    if content.get("fingerprint") != fingerprint or not whole:
        return None
    return Manifest(target, content["seed"], content["version"], fingerprint, files, fresh=False)


def _fingerprint(seed: int) -> str:
    """Changes with the seed, the code that draws, its words, the tables' contract, and the reference files it meets."""
    code = [*sorted(Path(__file__).parent.glob("*.py")), *(paths.PACKAGE / name for name in OTHER_SOURCES)]
    reference = sorted(paths.reference().glob(REFERENCE_FILES))
    digest = hashlib.sha256(f"{VERSION} {seed}".encode())
    for path in (*code, *reference):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
