"""`GET /v1/models`: what a caller may ask.

Source: https://platform.openai.com/docs/api-reference/models
"""

from typing import Final

from fastapi import APIRouter

from turngraph.interfaces.server.served_models import ServedModel
from turngraph.interfaces.server.service import CallerOf, ServiceOf
from turngraph.interfaces.server.turn_planning import find_model, may_ask
from turngraph.state.json_types import JsonObject

__all__ = ["router"]

router: Final = APIRouter(tags=["models"])


@router.get("/v1/models")
async def list_models(caller: CallerOf, service: ServiceOf) -> JsonObject:
    """Lists the models that the caller may ask."""
    models = service.models.models.values()
    return {
        "object": "list",
        "data": [_shown(model) for model in models if may_ask(caller, model.name)],
    }


@router.get("/v1/models/{name:path}")
async def retrieve_model(name: str, caller: CallerOf, service: ServiceOf) -> JsonObject:
    """Returns one model."""
    return _shown(find_model(service.models, name, caller))


def _shown(model: ServedModel) -> JsonObject:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": "turngraph"}
