"""The errors that a user can cause and correct.

    SketchyError
    ├── ConfigError       a config file or an override is wrong
    ├── DataError         a dataset cannot be read, split or sampled as the settings ask
    ├── ImageError        an image cannot be read, or is blank
    ├── CheckpointError   a .pth cannot be loaded, or does not match
    ├── GalleryError      a gallery is missing, empty or unusable
    │   ├── DamagedError  the files of an index are damaged
    │   ├── FormatError   an index has a format that this version cannot read
    │   └── LockedError   another process is writing the index
    ├── UnknownWordError  a model does not know a thing by this name
    ├── RunError          a run folder is missing, in use, or cannot be resumed
    ├── TrainingError     training cannot continue (a loss that is not a number)
    ├── ServeError        the page cannot be served (port taken)
    ├── MissingExtraError an optional package is not installed
    ├── StorageError      a file cannot be written or read (no space, no permission)
    └── Interrupted       the user stopped the command; its state is saved

A message has the form `what; where; what to do`. The command line prints it after `error: ` and exits with `exit_code`.
"""


class SketchyError(Exception):
    """Base of every error that ends in one clear line instead of a traceback.

    The first argument is the message; each further one is a line of a list of problems.
    """

    exit_code = 1

    def __str__(self) -> str:
        return "\n  ".join(map(str, self.args))


class ConfigError(SketchyError):
    """A config file or an override is wrong; the message lists every problem."""

    exit_code = 2


class DataError(SketchyError):
    """A dataset cannot be read, split or sampled as the settings ask."""


class ImageError(SketchyError):
    """An image cannot be read, or is blank; the message is the reason, without the path."""


class CheckpointError(SketchyError):
    """A checkpoint cannot be loaded, or does not match the model that it is loaded into."""


class GalleryError(SketchyError):
    """A gallery is missing, empty or unusable."""


class DamagedError(GalleryError):
    """The files of an index are damaged."""


class FormatError(GalleryError):
    """An index has a format that this version cannot read."""


class LockedError(GalleryError):
    """Another process is writing the index."""


class UnknownWordError(SketchyError):
    """A model does not know a thing by this name."""


class RunError(SketchyError):
    """A run folder is missing, in use, or cannot be resumed."""


class TrainingError(SketchyError):
    """Training cannot continue."""


class ServeError(SketchyError):
    """The page cannot be served."""


class MissingExtraError(SketchyError):
    """An optional package is not installed; the message names the command that installs it."""


class StorageError(SketchyError):
    """A file cannot be written or read."""


class Interrupted(SketchyError):
    """The user stopped the command; its state is saved."""

    exit_code = 130
