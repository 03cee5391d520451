"""One module per command, each with a function `run` that returns a result and prints nothing."""
