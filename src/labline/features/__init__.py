"""Features: derived columns and the encoder, one path for a record, a frame and a batch of millions."""

from labline.features.derived import FEATURES_FILE, DerivedFeatures, read_features
from labline.features.encoder import Encoder, EncoderState, Encoding, Matrix, dense
from labline.features.few import FEW_ROWS, FewRecords

__all__ = [
    "FEATURES_FILE",
    "FEW_ROWS",
    "DerivedFeatures",
    "Encoder",
    "EncoderState",
    "Encoding",
    "FewRecords",
    "Matrix",
    "dense",
    "read_features",
]
