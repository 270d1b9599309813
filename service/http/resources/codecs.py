"""/v1/codecs: which codecs encode and paint here."""

from __future__ import annotations

from starlette.requests import Request

from service.errors import ParameterError
from service.http.protocol.reply import JSON, Reply, json_body
from service.http.protocol.resource import Operation, Resource, described_answer, endpoint
from service.http.protocol.spelling import read_spelled
from service.serving.services import services_of

_NUMBERS = ("wire_id", "version", "minimum_bytes", "maximum_bytes")
SCHEMA = {
    "type": "object",
    "required": ["default", "uploads", "codecs"],
    "properties": {
        "default": {"type": "string"},
        "uploads": {"type": "array", "items": {"type": "string"}},
        "codecs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "kind", "picture_size", *_NUMBERS],
                "properties": {
                    "name": {"type": "string"},
                    "kind": {"type": "string", "enum": ["thumb", "photo"]},
                    "picture_size": {
                        "type": ["integer", "null"],
                        "description": "Side of the squares that it codes; null: any size",
                    },
                    **{number: {"type": "integer"} for number in _NUMBERS},
                },
            },
        },
    },
}


async def codecs(request: Request) -> Reply:
    """The codecs that are loaded, by name, and the one of uploads that name none."""
    read_spelled(request.scope["query_string"], {})
    services = services_of(request)
    content = {
        "default": services.settings.default_codec,
        "uploads": services.upload_codecs,
        "codecs": [
            {
                "name": codec.name,
                "wire_id": codec.wire_id,
                "version": codec.version,
                "kind": codec.kind,
                "minimum_bytes": codec.minimum_bytes,
                "maximum_bytes": codec.maximum_bytes,
                "picture_size": codec.picture_size,
            }
            for _, codec in sorted(services.codecs.items())
        ],
    }
    headers = ((b"content-type", JSON), (b"cache-control", b"public, max-age=300"))
    return Reply(200, headers, json_body(content))


RESOURCES = (
    Resource(
        "/v1/codecs",
        "codecs",
        {
            "GET": Operation(
                endpoint(codecs),
                "Which codecs there are",
                {200: described_answer("The codecs", JSON.decode(), schema=SCHEMA)},
                (ParameterError,),
            )
        },
    ),
)
