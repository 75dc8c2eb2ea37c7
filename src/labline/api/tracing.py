"""Traces by OpenTelemetry, where the setting asks for them; nothing here is imported otherwise."""

from __future__ import annotations

from fastapi import FastAPI

from labline import __version__
from labline.errors import ConfigError


def trace(app: FastAPI) -> None:
    """A span for every request, sent as the standard OTEL_* variables say (OTLP over HTTP, to localhost:4318 if none).

    Raises:
        ConfigError: the packages are not there.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
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
    resource = ours.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)  # sends what is left when the process ends
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # one span a request: those of each message of ASGI say nothing here
    app.add_middleware(OpenTelemetryMiddleware, tracer_provider=provider, exclude_spans=["receive", "send"])
