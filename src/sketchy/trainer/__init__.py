"""The loop, its optimizer, history and run folder."""
