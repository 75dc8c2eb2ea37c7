"""GET /: the page a person uses."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from labline.api.deps import ServicesDep
from labline.ui import home_page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(services: ServicesDep) -> HTMLResponse:
    """What this is, a form for one prediction, and links."""
    loaded = services.champion.current
    problem = loaded.bundle.problem if loaded else services.problem
    return HTMLResponse(
        home_page(
            problem,
            loaded.bundle if loaded else None,
            loaded.version if loaded else None,
            services.champion.trouble,
            key_wanted=bool(services.config.serving.api_keys),
        )
    )
