"""Traces by OpenTelemetry, where the setting asks for them; what makes and sends them is not imported otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labline import __version__
from labline.errors import ConfigError

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig


def telemetry(*, wanted: bool) -> TelemetryConfig:
    """FastAPI's settings: a span for every request, sent as the standard OTEL_* variables say, or nothing at all.

    FastAPI's own logs and metrics stay off: the first would repeat what people sent, the second we have.

    Raises:
        ConfigError: traces are wanted, and the packages are not there.
    """
    off: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    if not wanted:
        return off
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(
            f"traces need a package that is not installed: {error.name}",
            where="serving.tracing",
            mend='pip install "labline[tracing]", or take the setting out',
        ) from None
    # what the variables say wins (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES)
    ours = Resource({"service.name": "labline", "service.version": __version__})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))  # sends what is left when the process ends
    return {**off, "tracing": True, "operation_spans": False, "tracer_provider": provider}
