"""Today's codecs, each with what it counts as payload."""

from service.evaluation.baselines.base import Baseline, Parts
from service.evaluation.baselines.catalogue import BASELINES, find_baselines

__all__ = ["BASELINES", "Baseline", "Parts", "find_baselines"]
