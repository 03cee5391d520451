"""`sketchy data fetch`: the Sketchy database from its authors' links, or an archive of one's own, unpacked."""

import hashlib
import re
import shutil
from pathlib import Path

from sketchy.dataset.download import NotThereError, download
from sketchy.dataset.drive import download_from_drive, drive_id
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.dataset.unpack import check_free, unpack
from sketchy.errors import DataError
from sketchy.results import MadeFolder
from sketchy.talk import SILENT, Talk

PAGE = "https://sketchy.eye.gatech.edu/"
DRIVE_IDS = ("1z4--ToTXYb0-2cLuUWPYM5m7ST7Ob3Ck", "0B7ISyeE8QtDdTjE1MG9Gcy1kSkE")
"""The authors' Google Drive files of the rendered 256x256 archive, a .7z of about 1 GB: that of 2024, and an older one.

Their page does not say which of its files is the rendered archive; public code that uses the database says these.
Neither was tried by the people who wrote this program.
"""
CATEGORIES = 125
PHOTOS = 12_500
SKETCHES = (75_471, 75_481)
"""By the paper (Sangkloy et al., SIGGRAPH 2016), and in some copies."""


def run(out: Path, source: str | None = None, talk: Talk = SILENT) -> MadeFolder:
    """Get an archive of photos and sketches and unpack it into the new folder `out`.

    A download grows in the hidden folder `.NAME.download` beside `out`, where the next run goes on, and is deleted
    when the dataset is complete. An archive of the user's own is only read.

    Args:
        out: must not exist, or be empty.
        source: an archive file, its http(s) or Google Drive address, or None for the authors' links.
        talk: hears where it comes from, and that it is not the full database where it is not.

    Raises:
        DataError: `out` is taken, nothing can be downloaded, or what came is no dataset; a download is kept.
        StorageError: no space, or no permission.
        SketchyError: gdown or py7zr is needed and missing.
    """
    check_free(out)
    if source is None:
        return _from_links(out, talk)
    if "://" in source:
        return _from_address(source, out, talk)
    archive = Path(source)
    if archive.is_dir():
        raise DataError(f"{archive} is a folder already; name it as data.root in the config")
    if not archive.is_file():
        raise DataError(f"no file {archive}; name an archive, or its address with https:// before it")
    return _unpack(archive, out, talk)


def _from_links(out: Path, talk: Talk) -> MadeFolder:
    """Try the links in order until one gives a dataset; a broken connection ends it, to be gone on with."""
    talk.say(
        "trying the authors' Google Drive links of the rendered 256x256 archive; they could not be tried when this "
        f"program was written and may have changed, see {PAGE}"
    )
    problems = []
    for file_id in DRIVE_IDS:
        talk.say(f"Google Drive file {file_id}")
        try:
            archive = download_from_drive(file_id, _downloads(out) / file_id, talk=talk)
        except NotThereError as error:
            problems.append(str(error))
            continue
        try:
            return _unpack_downloaded(archive, out, talk)
        except DataError as error:
            problems.append(str(error))
    raise DataError(
        f"no link gave the database: {' | '.join(problems)}; get the rendered 256x256 archive from {PAGE} with a "
        "browser and run sketchy data fetch --from FILE"
    )


def _from_address(url: str, out: Path, talk: Talk) -> MadeFolder:
    if file_id := drive_id(url):
        archive = download_from_drive(file_id, _downloads(out) / file_id, talk=talk)
    else:
        # The digest keeps files of one name apart that lie on two servers.
        name = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{re.split('[?#]', url)[0].rpartition('/')[2][-80:]}"
        archive = download(url, _downloads(out) / name, talk=talk)
    return _unpack_downloaded(archive, out, talk)


def _downloads(out: Path) -> Path:
    home = out.resolve()
    return home.with_name(f".{home.name}.download")


def _unpack_downloaded(archive: Path, out: Path, talk: Talk) -> MadeFolder:
    made = _unpack(archive, out, talk)
    shutil.rmtree(archive.parent, ignore_errors=True)
    return made


def _unpack(archive: Path, out: Path, talk: Talk) -> MadeFolder:
    """Unpack and count; what holds no photos or no sketches is removed again."""
    folder = unpack(archive, out, talk=talk)
    try:
        made = _count(folder, out)
    except DataError as error:
        shutil.rmtree(folder)
        raise DataError(f"{archive} is no dataset of photos and sketches ({error}); it was not deleted") from error
    if (made.categories, made.photos) != (CATEGORIES, PHOTOS) or made.sketches not in SKETCHES:
        full = f"{CATEGORIES} categories, {PHOTOS:,} photos and {SKETCHES[0]:,} sketches"
        talk.say(f"this is not the full database, which has {full} ({SKETCHES[1]:,} in some copies)")
    return made


def _count(folder: Path, out: Path) -> MadeFolder:
    source = open_source(folder)
    try:
        records = find_records(source).records
    finally:
        source.close()
    kinds = [record.kind for record in records]
    categories = len({record.category for record in records})
    return MadeFolder(str(out), kinds.count("photo"), kinds.count("sketch"), categories)
