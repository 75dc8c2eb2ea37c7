"""The API: FastAPI, one file for each group of routes."""

from labline.api.app import create_app

__all__ = ["create_app"]
