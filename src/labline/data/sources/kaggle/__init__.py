"""Files of Kaggle competitions and datasets: fetched with the `kaggle` package, kept under their checksum."""

from labline.data.sources.kaggle.credentials import has_credentials
from labline.data.sources.kaggle.fetching import fetch

__all__ = ["fetch", "has_credentials"]
