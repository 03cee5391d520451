"""`sketchy retrieve`: the photos nearest to a sketch."""

from pathlib import Path

from sketchy.errors import ImageError
from sketchy.image import open_image
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Hit, Retrieval
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery
from sketchy.retrieval.opening import identity_of, open_gallery
from sketchy.retrieval.sheet import Tile, contact_sheet
from sketchy.runtime import pick_device
from sketchy.storage import replacing
from sketchy.talk import SILENT, Talk


def run(
    sketch: Path,
    *,
    k: int,
    checkpoint: Path,
    gallery: str | None = None,
    save: Path | None = None,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Retrieval:
    """Find the k photos nearest to a sketch.

    Args:
        sketch: an image file.
        k: at least 1; more than the gallery holds gives all of it.
        checkpoint: a .pth file.
        gallery: as `open_gallery`.
        save: where to write a contact sheet, as PNG or JPEG by its suffix.

    Raises:
        ImageError: the sketch cannot be read or is blank.
        CheckpointError, DataError, GalleryError, StorageError: what is missing or unusable.
    """
    loaded = load_checkpoint(checkpoint)
    embedder = Embedder.of(loaded, pick_device(device))
    try:
        query = embedder.embed_image(sketch, "sketch")
    except ImageError as error:
        raise ImageError(f"cannot use {sketch} as a sketch: {error}; give a drawing as PNG or JPEG") from None
    photos = open_gallery(gallery, loaded, identity_of(loaded, checkpoint), embedder, talk)
    try:
        count = photos.count()
        talk.say(f"searched {photos.name}: {count:,} photos")
        if k > count:
            talk.say(f"the gallery holds only {count} photos, fewer than k = {k}")
        found = photos.search(query.numpy(), k)
        if save is not None:
            _save_sheet(save, sketch, photos, found)
    finally:
        photos.close()
    return Retrieval(str(sketch), str(checkpoint), photos.name, found, photos.skipped)


def _save_sheet(path: Path, sketch: Path, gallery: Gallery, found: tuple[Hit, ...]) -> None:
    tiles = [
        Tile(open_image(gallery.image(hit.path)), f"{hit.rank}  {hit.category or ''}\ndistance {hit.distance:.3f}")
        for hit in found
    ]
    sheet = contact_sheet([(Tile(open_image(sketch), sketch.name), tiles)])
    with replacing(path) as temporary:
        sheet.save(temporary, format="jpeg" if path.suffix.lower() in (".jpg", ".jpeg") else "png")
