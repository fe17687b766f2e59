"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
import uuid
from pathlib import Path


@contextlib.contextmanager
def complete_file(path: Path):
    """A path to write to, renamed to `path` at the end: never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise an OSError now, rather than after hours of training."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=path.parent).close()
