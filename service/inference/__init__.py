"""Networks: sessions that run them, and the batches they run in."""

from service.inference.batcher import Batcher
from service.inference.hooks import Drop, Hooks, Reason
from service.inference.runtime import Runtime
from service.inference.session import Session, Tensor

__all__ = ["Batcher", "Drop", "Hooks", "Reason", "Runtime", "Session", "Tensor"]
