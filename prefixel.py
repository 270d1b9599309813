"""What Python programs import; see ``service.sdk``."""

from service.sdk import AsyncClient, Client, ServiceError, decode, encode

__all__ = ["AsyncClient", "Client", "ServiceError", "decode", "encode"]
