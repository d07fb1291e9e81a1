"""Files that are there whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_whole(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file so that `path` has the old content or the new one, whatever happens and whenever.

    The content is written beside it and reaches the disk before it takes the name, which reaches the disk before this
    returns. A link keeps pointing to what it points to. The new file may be read and written by whom the old one could.

    Parameters
    ----------
    path : path
    parts : iterable of bytes or memoryview
        The content, in order.

    Raises
    ------
    OSError
        With number and path: no space, no permission, a failing disk, or a path that is no file, but a folder, a pipe
        or a device. `path` is as it was; only if the folder itself cannot be brought to the disk, it has the new
        content already.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "file"), [b"ne", b"w"])
    ...     Path(folder, "file").read_bytes()
    b'new'
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise of_path(OSError(errno.EISDIR if target.is_dir() else errno.EINVAL, ""), target)
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.tmp")  # no longer than names may be
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if target.exists() and os.name == "posix":
                os.fchmod(descriptor, target.stat().st_mode & 0o777)
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise of_path(error, target) from None
        raise
    sync_folder(target)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it that are not there, and bring their names to the disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.absolute())


def sync_folder(target: Path) -> None:
    """Bring the names in the folder of a file, or of a folder, to the disk."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise of_path(error, target) from None


def of_path(error: OSError, path: Path) -> OSError:
    """The same error, with the path that the caller knows."""
    return OSError(error.errno, os.strerror(error.errno) if error.errno else str(error), str(path))
