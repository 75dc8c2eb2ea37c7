"""The configuration: YAML modules, their typed readers, and how they are put together."""

from labline.config.loading import Config, Value, load

__all__ = ["Config", "Value", "load"]
