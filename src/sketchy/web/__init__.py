"""The page that is drawn on, and the API behind it."""
