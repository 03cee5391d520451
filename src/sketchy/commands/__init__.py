"""One module per command, each with a function `run` that returns a result and prints nothing.

Arguments that several of them take:
    checkpoint: A .pth file.
    scan: Options for scanning folders of photos.
    device: See `pick_device`.
    progress: Shows the progress.
"""
