"""`sketchy data fetch`: download and unpack the Sketchy database, or unpack an archive of the user."""

import hashlib
import logging
import re
import shutil
from pathlib import Path

from sketchy.dataset.download import NotThereError, download
from sketchy.dataset.drive import download_from_drive, drive_id
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.dataset.unpack import check_free, unpack
from sketchy.errors import DataError
from sketchy.progress import Progress, no_progress
from sketchy.results import MadeFolder

PAGE = "https://sketchy.eye.gatech.edu/"
DRIVE_IDS = ("1z4--ToTXYb0-2cLuUWPYM5m7ST7Ob3Ck", "0B7ISyeE8QtDdTjE1MG9Gcy1kSkE")
"""Google Drive ids of the authors' rendered 256x256 archive, a .7z of about 1 GB: the file of 2024, then an older one.

The authors' page does not say which file is the rendered archive; the ids are from public code that uses the database.
Neither has been tested.
"""
CATEGORIES = 125
PHOTOS = 12_500
SKETCHES = (75_471, 75_481)
"""The number in the paper (Sangkloy et al., SIGGRAPH 2016), and the number in some copies."""

log = logging.getLogger(__name__)


def run(out: Path, source: str | None = None, progress: Progress = no_progress) -> MadeFolder:
    """Download an archive of photos and sketches if necessary, and unpack it into the new folder `out`.

    Downloads go to the hidden folder `.NAME.download` beside `out`, where the next run can resume them, and are deleted
    when the dataset is complete. A local archive is only read.

    Args:
        out: Folder to create; it must not exist, or be empty.
        source: An archive file, or its http(s) or Google Drive address; None tries the authors' links.
        progress: Shows the progress.

    Raises:
        DataError: `out` is not empty, the download fails, or the archive is not a dataset; downloads are kept.
        StorageError: The disk is full or not writable.
        MissingExtraError: gdown or py7zr is needed but not installed.
    """
    check_free(out)
    if source is None:
        return _from_authors(out, progress)
    if "://" in source:
        return _from_address(source, out, progress)
    archive = Path(source)
    if archive.is_dir():
        raise DataError(f"{archive} is a folder already; name it as data.root in the config")
    if not archive.is_file():
        raise DataError(f"no file {archive}; name an archive, or its address with https:// before it")
    return _unpack(archive, out, progress)


def is_full_database(made: MadeFolder) -> bool:
    """Return whether a dataset has as many categories, photos and sketches as the full Sketchy database."""
    return (made.categories, made.photos) == (CATEGORIES, PHOTOS) and made.sketches in SKETCHES


def _from_authors(out: Path, progress: Progress) -> MadeFolder:
    """Try the links in order until one is a dataset; a broken connection raises, so that the next run can resume."""
    log.info(
        "trying the authors' Google Drive links of the rendered 256x256 archive; "
        f"they have not been tested and may have changed, see {PAGE}"
    )
    problems = []
    for file_id in DRIVE_IDS:
        log.info(f"Google Drive file {file_id}")
        try:
            archive = download_from_drive(file_id, _downloads(out) / file_id, progress=progress)
        except NotThereError as error:
            problems.append(str(error))
            continue
        try:
            return _unpack_downloaded(archive, out, progress)
        except DataError as error:
            problems.append(str(error))
    raise DataError(
        f"no link gave the database: {' | '.join(problems)}; get the rendered 256x256 archive from {PAGE} with a "
        "browser and run sketchy data fetch --from FILE"
    )


def _from_address(url: str, out: Path, progress: Progress) -> MadeFolder:
    if file_id := drive_id(url):
        archive = download_from_drive(file_id, _downloads(out) / file_id, progress=progress)
    else:
        # The hash distinguishes files of the same name on different servers.
        name = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{re.split('[?#]', url)[0].rpartition('/')[2][-80:]}"
        archive = download(url, _downloads(out) / name, progress=progress)
    return _unpack_downloaded(archive, out, progress)


def _downloads(out: Path) -> Path:
    home = out.resolve()
    return home.with_name(f".{home.name}.download")


def _unpack_downloaded(archive: Path, out: Path, progress: Progress) -> MadeFolder:
    made = _unpack(archive, out, progress)
    shutil.rmtree(archive.parent, ignore_errors=True)
    return made


def _unpack(archive: Path, out: Path, progress: Progress) -> MadeFolder:
    """Unpack an archive and count its images; the folder is removed if there are none."""
    folder = unpack(archive, out, progress=progress)
    try:
        records = find_records(open_source(folder)).records
    except DataError as error:
        shutil.rmtree(folder)
        raise DataError(
            f"{archive} is not a dataset of photos and sketches ({error}); the archive was not deleted"
        ) from error
    kinds = [record.kind for record in records]
    categories = len({record.category for record in records})
    made = MadeFolder(str(out), kinds.count("photo"), kinds.count("sketch"), categories)
    if not is_full_database(made):
        full = f"{CATEGORIES} categories, {PHOTOS:,} photos and {SKETCHES[0]:,} sketches"
        log.info(f"this is not the full database, which has {full} ({SKETCHES[1]:,} in some copies)")
    return made
