"""Everything a user can cause and mend.

    SketchyError
    ├── ConfigError       a config file or an override is wrong
    ├── DataError         a dataset, split or sampler cannot be made from what is there
    ├── ImageError        one image cannot be read or holds nothing
    ├── CheckpointError   a .pth cannot be loaded, or does not fit
    ├── GalleryError      a gallery is missing, empty or unusable
    │   ├── DamagedError  an index is not what was written
    │   ├── FormatError   an index is of another format than this version reads
    │   └── LockedError   another process writes the index
    ├── RunError          a run folder is missing, taken or not resumable
    ├── TrainingError     training cannot go on (a loss that is not a number)
    ├── ServeError        the page cannot be served (port taken)
    ├── MissingExtraError an optional package is not installed
    ├── StorageError      a file cannot be written or read (no space, no permission)
    └── Interrupted       asked to stop; what was done is saved

A message reads `what; where; what to do`. The command line prints it after `error: ` and exits with
`exit_code`.
"""


class SketchyError(Exception):
    """Base of every error that ends in one clear line instead of a traceback.

    Further arguments are a line each, for a list of problems.
    """

    exit_code = 1

    def __str__(self) -> str:
        return "\n  ".join(map(str, self.args))


class ConfigError(SketchyError):
    """A config file or an override is wrong; the message lists every problem."""

    exit_code = 2


class DataError(SketchyError):
    """A dataset, split or sampler cannot be made from what is there."""


class ImageError(SketchyError):
    """One image cannot be read or holds nothing; the message is the reason, without the path."""


class CheckpointError(SketchyError):
    """A checkpoint cannot be loaded, or does not fit what it is loaded into."""


class GalleryError(SketchyError):
    """A gallery is missing, empty or unusable."""


class DamagedError(GalleryError):
    """An index is not what was written."""


class FormatError(GalleryError):
    """An index is of another format than this version reads."""


class LockedError(GalleryError):
    """Another process writes the index."""


class RunError(SketchyError):
    """A run folder is missing, taken or not resumable."""


class TrainingError(SketchyError):
    """Training cannot go on."""


class ServeError(SketchyError):
    """The page cannot be served."""


class MissingExtraError(SketchyError):
    """An optional package is not installed; the message names the command that installs it."""


class StorageError(SketchyError):
    """A file cannot be written or read."""


class Interrupted(SketchyError):
    """The user asked to stop; the state is saved."""

    exit_code = 130
