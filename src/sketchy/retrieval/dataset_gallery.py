"""The gallery of a search without photos of one's own: the test photos of the model's dataset."""

from collections.abc import Iterable, Iterator

from sketchy.dataset.loader import load_dataset, refuse_moved
from sketchy.errors import GalleryError
from sketchy.progress import Advance, Progress
from sketchy.retrieval.index import Index
from sketchy.retrieval.model import Model, Pixels
from sketchy.retrieval.store.memory import MemoryStore


def open_test_photos(model: Model, progress: Progress) -> Index:
    """Embed the test photos of the model's dataset, which may be an archive, from its pack.

    Raises:
        DataError: The dataset is gone.
        GalleryError: It has no test photos.
    """
    refuse_moved(model.config, "give --gallery FOLDER to search your own photos")
    data = load_dataset(model.config, progress=progress)
    rows = data.parts["test"].photos
    if not len(rows):
        raise GalleryError(f"the test split of {data.source.path} has no photos; name a folder with --gallery")
    with progress("embedding", len(rows), "image") as advance:
        vectors = model.embed_prepared(_counted((data.pack.photos[row] for row in rows), advance), len(rows), "photo")
    row_of = {data.photo_path(row): row for row in rows.tolist()}
    categories = [data.pack.categories[label] for label in data.pack.photo_category[rows]]
    store = MemoryStore(model.identity, list(zip(row_of, categories, strict=True)), vectors, data.source.close)
    return Index(
        store, f"the test photos of {data.source.path}", model, read=lambda path: data.photo_file(row_of[path])
    )


def _counted(images: Iterable[Pixels], advance: Advance) -> Iterator[Pixels]:
    """Yield images, and advance a progress bar for each."""
    for image in images:
        yield image
        advance(1)
