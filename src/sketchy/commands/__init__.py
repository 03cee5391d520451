"""One module a command, each with one `run` that returns a result and prints nothing."""
