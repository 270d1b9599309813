"""What Python programs import; see ``service.library``."""

from service.library import AsyncClient, Client, ServiceError, decode, encode

__all__ = ["AsyncClient", "Client", "ServiceError", "decode", "encode"]
