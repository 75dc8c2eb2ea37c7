"""Rows by the million: files read, checked and written a block at a time, in memory that does not grow with them."""
