"""Downloads that go on where they stopped, and archives that are unpacked whole or not at all."""

import glob
import hashlib
import os
import re
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from skspeech.datasets._files import SUFFIXES

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 18  # bytes
# What zipfile raises of a file that it cannot read, encrypted or packed in an unknown way too.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_LONGEST_VERSION = 180  # characters: names of files end at 255


class Archive(NamedTuple):
    """A zip file in which a corpus is published.

    Parameters
    ----------
    url : str
    checksum : str or None
        ``"<algorithm>:<hexadecimal digits>"``; None where none is published.
    inside : str or None, default=None
        The name of the folder, at any level, whose sound files are unpacked; None for all.
    """

    url: str
    checksum: str | None
    inside: str | None = None

    @property
    def name(self) -> str:
        """The name of the file."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


def fetch_archive(
    archive: Archive, folder: Path, verify: Callable[[list[Path]], None] | None = None
) -> None:
    """Download an archive and unpack its sound files into a folder: all of them, or none.

    A download that is cut off leaves ``<name>.<version>.part`` beside the folder and is continued
    by the next call, if the server still has that version and sends parts of files; otherwise it
    begins again. Nothing else is left of what fails, not even folders that were made. Who fetches
    into a folder that another thread or process is fetching into waits, and takes what that got.

    Parameters
    ----------
    archive : Archive
    folder : Path
        Absent or empty but for hidden files, which stay in it; made with its parents.
    verify : callable or None, default=None
        Gets the unpacked files before they take their place, and raises an OSError where they
        are not what they should be.

    Raises
    ------
    OSError
        If the server cannot be reached, the connection breaks, the checksum is wrong, or the file
        is no archive, a damaged one, or one that would write outside the folder.
    """
    if _is_filled(folder):
        raise FileExistsError(f"{folder} holds other files: move them away")
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        with _alone(folder):
            if not _is_filled(folder):  # by whom we waited for
                _fetch(archive, folder, verify)
    finally:
        with suppress(OSError):  # a folder that is not empty, and so those above it
            for parent in made:
                parent.rmdir()


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def _fetch(archive: Archive, folder: Path, verify: Callable[[list[Path]], None] | None) -> None:
    path = _download(archive, folder.parent)
    unpacking = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)  # of a process that was killed
    try:
        unpacked = _unpack_sounds(path, archive.inside, unpacking)
        if verify is not None:
            verify(unpacked)
        if folder.is_dir():
            for hidden in folder.iterdir():
                hidden.rename(unpacking / hidden.name)
            folder.rmdir()
        unpacking.rename(folder)
    except _DAMAGED as error:
        path.unlink(missing_ok=True)
        raise OSError(f"{path.name} is no archive that can be read: {error}") from error
    except Exception:  # not KeyboardInterrupt: the archive is complete and is used next time
        path.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)
    path.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process fetches into a folder, and keep the others waiting.

    The system takes the lock from a process that ends, however it ends. Where a file system has no
    locks, nobody waits.
    """
    path = folder.with_name(f".{folder.name}.lock")
    file = _locked(path)
    try:
        yield
    finally:
        if sys.platform == "win32":  # which removes no open file
            file.close()
        with suppress(OSError):
            path.unlink()
        file.close()


def _locked(path: Path) -> IO[bytes]:
    """Open and lock a file that its last holder may remove meanwhile."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("ab")
        except FileNotFoundError:  # who failed has removed the folder
            continue
        with suppress(OSError):
            _lock(file)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        while True:
            with suppress(OSError):  # after ten seconds
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _download(archive: Archive, folder: Path) -> Path:
    import pooch

    def continued(url: str, output_file: str, pooch: Any) -> None:
        _continue_download(url, folder / archive.name, Path(output_file))

    try:  # pooch compares the checksum before it gives the file its name
        path = pooch.retrieve(
            archive.url, archive.checksum, fname=archive.name, path=folder, downloader=continued
        )
    except ValueError as error:  # names both checksums
        raise OSError(str(error)) from error
    except HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    return Path(path)


def _continue_download(url: str, whole: Path, output: Path) -> None:
    """Download into a part, from where it ends, and move it to `output` when it is complete."""
    parts = sorted(whole.parent.glob(f"{glob.escape(whole.name)}.*.part"))
    with _open(url, whole, parts) as response:
        if response.status == 206:
            part, begin, total = parts[0], *_content_range(response)
        else:
            for outdated in parts:
                outdated.unlink()
            part, begin, total = _new_part(response, whole), 0, response.length
        with part.open("r+b" if begin else "wb") as file:
            file.seek(begin)
            shutil.copyfileobj(response, file, _CHUNK)
    size = part.stat().st_size
    if total is not None and size != total:
        raise ConnectionError(
            f"the connection ended after {size:,} of {total:,} bytes; the next call goes on there"
        )
    part.replace(output)


def _open(url: str, whole: Path, parts: list[Path]) -> Any:
    """Ask for the rest of a part, if the file is still the one it is a part of, or for all."""
    if len(parts) == 1 and parts[0].stat().st_size > 0:
        version = unquote(parts[0].name[len(whole.name) + 1 : -len(".part")])
        rest = {"Range": f"bytes={parts[0].stat().st_size}-", "If-Range": version}
        try:
            response = _ask(url, rest if version else {})
        except HTTPError as error:
            error.close()
            if error.code != 416:  # the part is as long as the file, or longer: begin again
                raise
        else:
            if response.status != 206 or _version(response) == version:
                return response
            response.close()  # a server that overlooks If-Range
    return _ask(url, {})


def _ask(url: str, headers: dict[str, str]) -> Any:
    # some servers turn away what calls itself Python-urllib
    request = Request(url, headers={"User-Agent": "skspeech", **headers})
    return urlopen(request, timeout=_TIMEOUT)


def _version(response: Any) -> str:
    """Return what tells two versions of a file apart byte for byte, or an empty string."""
    version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    too_long = len(quote(version, safe="")) > _LONGEST_VERSION
    return "" if version.startswith("W/") or too_long else version


def _new_part(response: Any, whole: Path) -> Path:
    return whole.with_name(f"{whole.name}.{quote(_version(response), safe='')}.part")


def _content_range(response: Any) -> tuple[int, int]:
    """Return the first byte that a server sends, and the size of the whole file."""
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", header)
    if match is None:
        raise ConnectionError(f"the server sent a part without saying which ({header!r})")
    return int(match[1]), int(match[2])


def _unpack_sounds(path: Path, inside: str | None, folder: Path) -> list[Path]:
    """Unpack the sound files that lie in `inside`, with the folders below it."""
    unpacked = []
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            parts = PurePosixPath(member.filename).parts
            if set(parts) & {"..", "/"} or set(member.filename) & {"\\", ":"}:
                raise OSError(f"{path.name} would write to {member.filename}, outside its folder")
            if inside is not None:
                parts = parts[parts.index(inside) + 1 :] if inside in parts else ()
            if not parts or not parts[-1].lower().endswith(SUFFIXES) or parts[-1].startswith("."):
                continue
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("xb") as file:
                shutil.copyfileobj(source, file, _CHUNK)  # checks the member's CRC at its end
            unpacked.append(target)
    if not unpacked:
        raise OSError(f"{path.name} holds no .wav or .flac file in {inside or 'any folder'}")
    return unpacked


def samples_digest(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the names and the samples of 16-bit files, in order of the names.

    Headers and lossless compression leave it as it is. A name is the file's without its suffix.

    Examples
    --------
    >>> from skspeech.datasets._download import samples_digest
    >>> samples_digest([])[:8]
    'e3b0c442'
    """
    import soundfile

    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.stem):
        samples, _ = soundfile.read(os.fspath(path), dtype="int16")
        digest.update(path.stem.encode() + b"\0" + samples.astype("<i2").tobytes())
    return digest.hexdigest()
