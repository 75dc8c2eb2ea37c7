"""Sources: where rows come from. One way in for all of them, `take`."""

from labline.data.sources.files import read_frame, write_frame
from labline.data.sources.taking import Kind, Taken, take

__all__ = ["Kind", "Taken", "read_frame", "take", "write_frame"]
