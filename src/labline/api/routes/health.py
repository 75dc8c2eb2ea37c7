"""GET /healthz, /readyz, /version."""

from __future__ import annotations

from fastapi import APIRouter, Response

from labline import __version__
from labline.api.deps import ServicesDep
from labline.api.schemas import Health, Readiness, VersionInfo
from labline.contract import CONTRACT_FILE

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="Alive?")
async def healthz() -> Health:
    """Answers as long as the process does."""
    return Health()


@router.get("/readyz", summary="Ready for requests?", responses={503: {"model": Readiness}})
async def readyz(services: ServicesDep, response: Response) -> Readiness:
    """Ready when a champion is loaded and answers can be logged; reasons name what is in the way, or may soon be."""
    champion, log = services.champion, services.log.status()
    reasons = [f"champion: {champion.trouble}"] if champion.trouble else []
    if log.failure is not None:
        reasons.append(f"prediction log: {log.failure}")
    if log.spooled:
        reasons.append(f"prediction log: {log.spooled:,} predictions wait on this machine for the database")
    ready = champion.current is not None and log.writable
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, reasons=reasons)


@router.get("/version", summary="What is running?")
async def version(services: ServicesDep) -> VersionInfo:
    """Code, bundle, contract, and since when."""
    loaded = services.champion.current
    if loaded is None:
        return VersionInfo(labline=__version__, problem=services.problem.name)
    manifest = loaded.bundle.manifest
    return VersionInfo(
        labline=__version__,
        problem=services.problem.name,
        model_version=loaded.version,
        bundle=loaded.bundle.digest,
        contract=manifest.files[CONTRACT_FILE],
        family=manifest.family,
        trained_on=manifest.data.kind,
        trained_at=manifest.made_at,
        since=loaded.since,
        holdout=manifest.holdout,
    )
