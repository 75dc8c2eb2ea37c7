"""Routes, one file a group."""
