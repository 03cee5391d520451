"""`sketchy retrieve`: the photos nearest to a sketch."""

from pathlib import Path

from PIL import Image

from sketchy.dataset.loader import load_dataset
from sketchy.errors import DataError, GalleryError, ImageError, StorageError
from sketchy.evaluation.lineage import refuse_moved
from sketchy.image import open_image
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.results import Retrieval
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery, embed_dataset, embed_folder
from sketchy.retrieval.sheet import Tile, contact_sheet
from sketchy.runtime import pick_device
from sketchy.storage import refuse_unwritable, replacing
from sketchy.talk import SILENT, Talk


def run(
    sketch: Path,
    *,
    k: int,
    checkpoint: Path,
    gallery: Path | None = None,
    save: Path | None = None,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Retrieval:
    """Find the k photos nearest to a sketch.

    Args:
        sketch: an image file.
        k: at least 1; more than the gallery holds gives all of it.
        checkpoint: a .pth file.
        gallery: a folder of photos; None takes the test photos of the checkpoint's dataset.
        save: where to write a contact sheet, as PNG or JPEG by its suffix.

    Raises:
        ImageError: the sketch cannot be read or is blank.
        CheckpointError, DataError, GalleryError, StorageError: what is missing or unusable.
    """
    if save is not None:
        _refuse_place(save, sketch)
    loaded = load_checkpoint(checkpoint)
    embedder = Embedder.of(loaded, pick_device(device))
    try:
        query = embedder.embed_image(sketch, "sketch")
    except ImageError as error:
        raise ImageError(f"cannot use {sketch} as a sketch: {error}; give a drawing as PNG or JPEG") from None
    photos = embed_folder(gallery, embedder, talk) if gallery else _test_photos(loaded, embedder, talk)
    talk.say(f"searched {photos.name}: {len(photos.paths):,} photos")
    if k > len(photos.paths):
        talk.say(f"k = {k} is more than the gallery holds; all of it follows")
    found = photos.search(query, k)
    if save is not None:
        _save_sheet(save, sketch, photos, found)
    return Retrieval(str(sketch), str(checkpoint), photos.name, photos.hits(found), photos.skipped)


def _refuse_place(save: Path, sketch: Path) -> None:
    refuse_unwritable(save)
    if save.exists() and sketch.exists() and save.samefile(sketch):
        raise StorageError(f"the contact sheet would replace the sketch {sketch}; choose another name for it")


def _test_photos(checkpoint: Checkpoint, embedder: Embedder, talk: Talk) -> Gallery:
    refuse_moved(checkpoint.config, "name a folder of photos with --gallery")
    data = load_dataset(checkpoint.config, talk)
    rows = data.parts["test"].photos
    if not len(rows):
        raise GalleryError(f"the test split of {data.source.path} has no photos; name a folder with --gallery")
    return embed_dataset(data, rows, f"the test photos of {data.source.path}", embedder, talk)


def _save_sheet(path: Path, sketch: Path, gallery: Gallery, found: list[tuple[int, float]]) -> None:
    tiles = [
        Tile(_picture(gallery, row), f"{rank}  {gallery.categories[row] or ''}\ndistance {distance:.3f}")
        for rank, (row, distance) in enumerate(found, start=1)
    ]
    sheet = contact_sheet([(Tile(open_image(sketch), sketch.name), tiles)])
    with replacing(path) as temporary:
        sheet.save(temporary, format="jpeg" if path.suffix.lower() in (".jpg", ".jpeg") else "png")


def _picture(gallery: Gallery, row: int) -> Image.Image:
    try:
        return open_image(gallery.image(row))
    except (ImageError, DataError) as error:
        raise ImageError(
            f"cannot put {gallery.paths[row]} on the contact sheet: {error}; run again without --save"
        ) from None
