"""Features: derived columns and the encoder, one path for a record, a frame and a batch of millions."""

from labline.features.derived import FEATURES_FILE, DerivedFeatures, read_features
from labline.features.encoder import Encoder, EncoderState, Encoding, Matrix

__all__ = [
    "FEATURES_FILE",
    "DerivedFeatures",
    "Encoder",
    "EncoderState",
    "Encoding",
    "Matrix",
    "read_features",
]
