"""The web page for drawing and searching, and its HTTP API."""
