"""Coefficients chosen through the synthesis network.

    repeat   cut the stream at several lengths, paint each, take D and its slope through the network
             carry the slope back through transform and rounding, add what bits cost, take a step
    keep     the coefficients whose prefixes came out best

The least effort takes one such step, at one length, and does not look back.
D is what the networks were trained for: squared error and 1 - SSIM (``models.prefixel``). A decoder
notices nothing. Source of the idea: iterative refinement at encoding (Campos et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.codec.interface import Pixels
from service.codec.prefixel.context_model import COEFFICIENTS
from service.codec.prefixel.rate_model import Truncator, through_rounding
from service.codec.prefixel.reconstruction import Floats, dequantiser_of, from_cells
from service.codec.prefixel.tables import Stored
from service.inference import Session


@dataclass(frozen=True)
class OperatingPoints:
    """Where a picture is judged: M lengths.

    ``payloads`` float64 [M] in payload bytes, ascending; ``shares`` float32 [M], of a sum of 1;
    ``weights`` float32 [M]: what squared error counts there, beside 1 - SSIM.
    """

    payloads: NDArray[np.float64]
    shares: Floats
    weights: Floats

    def only(self, payload_bytes: int) -> OperatingPoints:
        """One of the lengths, judged alone. Raises ValueError for a length that is none of them."""
        if payload_bytes not in self.payloads:
            raise ValueError(f"{payload_bytes} bytes are none of {self.payloads}")
        at = self.payloads == payload_bytes
        return OperatingPoints(self.payloads[at], np.ones(1, np.float32), self.weights[at])


OPERATING_POINTS = OperatingPoints(
    np.array([14, 30, 46, 62, 94, 126, 190, 254, 340, 460], np.float64),
    np.array([0.3, 0.7, 0.8, 2.0, 0.9, 1.5, 0.5, 1.0, 0.4, 0.6], np.float32) / 8.7,
    np.array([30, 31, 33, 35, 42, 51, 78, 116, 184, 312], np.float32),
)
"""All lengths at once, for one stream; the last is about the whole one."""
AT_ZERO, PER_BYTE = 0.4, 0.043
"""1 / D at so many bytes is about AT_ZERO + PER_BYTE * bytes."""
RATE_WEIGHT = 1.0
"""What bits count against D."""
MOVE, LAST_MOVE = 8.0, 0.03
"""Length of a step over all coefficients of a picture, in cells, at first; its last share."""
MOMENTUM = 0.7
"""Of the direction of the steps before: with it steps may be long, and few rounds go far."""
STEEPER = 1.5
"""Power of each slope in a step: more for the coefficients that matter, less noise in the rest."""
SINGLE_STEP, SINGLE_STEP_MOVE = OPERATING_POINTS.only(62), 10.0
"""Where the only step of the least effort is judged, and its length."""
BATCH = 16


class RateDistortionSearch:
    """The search of one artifact. Thread-safe."""

    def __init__(
        self,
        stored: Stored,
        gradient: Session,
        judged: OperatingPoints = OPERATING_POINTS,
        *,
        one_step: Session | None = None,
    ) -> None:
        """``gradient`` takes ``painted``, ``known``, ``target``, ``weight``; gives D, its slope.

        ``one_step`` is the same network for ``single_step``, whose callers share a batch out.
        """
        self._truncator, self._gradient, self._at = Truncator(stored), gradient, judged
        self._one_step = one_step or gradient
        self._dequantiser = dequantiser_of(stored)

    def refined(self, pictures: Pixels, values: Floats, rounds: int) -> Floats:
        """Better coefficients for uint8 [N, 32, 32, 3]: float [N, 3072] in steps, from those."""
        if not rounds:
            return values
        parts = [slice(start, start + BATCH) for start in range(0, len(values), BATCH)]
        return np.concatenate(
            [self._refined(pictures[part], values[part], rounds) for part in parts]
        )

    def single_step(self, pictures: Pixels, values: Floats) -> Floats:
        """What one step makes of coefficients, as ``refined``."""
        target = pictures.astype(np.float32)
        _, slope = self._measured(values, target, SINGLE_STEP, self._one_step)
        return values - np.float32(SINGLE_STEP_MOVE) * _unit(slope)

    def _refined(self, pictures: Pixels, values: Floats, rounds: int) -> Floats:
        target = np.repeat(pictures.astype(np.float32), len(self._at.payloads), axis=0)
        best, least = values, np.full(len(values), np.inf, np.float32)
        direction = np.zeros_like(values)
        for n in range(rounds + 1):
            loss, slope = self._measured(values, target, self._at, self._gradient)
            better = loss < least
            least = np.where(better, loss, least)
            best = np.where(better[:, None], values, best)
            if n == rounds:
                break
            cosine = (1 + np.cos(np.pi * n / rounds)) / 2
            length = np.float32(MOVE * (LAST_MOVE + (1 - LAST_MOVE) * cosine))
            direction = MOMENTUM * direction + (1 - MOMENTUM) * _steeper(slope)
            values = values - length * _unit(direction)
        return best

    def _measured(
        self, values: Floats, target: Floats, at: OperatingPoints, gradient: Session
    ) -> tuple[Floats, Floats]:
        """Of coefficients [N, 3072] the mean D / D0 [N] of their prefixes and its slope."""
        payloads, shares = at.payloads, at.shares
        shape = (len(values), len(payloads))
        cut = self._truncator.cut(values, np.tile(payloads, (len(values), 1)))
        given = {
            "painted": from_cells(self._dequantiser, cut.cells.reshape(-1, COEFFICIENTS)),
            "known": cut.known.reshape(shape[0] * shape[1], -1),
            "target": target,
            "weight": np.tile(at.weights, shape[0]),
        }
        found = gradient.run(given)
        distortion = found["distortion"].reshape(shape)
        share = shares * (AT_ZERO + PER_BYTE * payloads).astype(np.float32)
        slopes = self._transformed(found["slope"]).reshape(*shape, COEFFICIENTS)
        multiplier = RATE_WEIGHT * shares * PER_BYTE / 8 * distortion
        followed = through_rounding(
            values, cut, slopes * share[:, None], np.asarray(multiplier, np.float32)
        )
        return np.asarray((distortion * share).sum(axis=1), np.float32), followed

    def _transformed(self, slope: Floats) -> Floats:
        """A slope along samples [N, 32, 32, 3] as one along coefficients in steps [N, 3072]."""
        basis, steps = self._dequantiser.basis, self._dequantiser.steps
        turned = (slope @ self._dequantiser.colours.T).transpose(0, 3, 1, 2)
        return np.asarray((basis @ turned @ basis.T).reshape(-1, COEFFICIENTS) * steps)


def _steeper(slopes: Floats) -> Floats:
    """Slopes [N, 3072] to the power of STEEPER, with their signs, of length 1."""
    unit = _unit(slopes)
    return _unit(np.sign(unit) * np.abs(unit) ** np.float32(STEEPER))


def _unit(directions: Floats) -> Floats:
    """Of length 1, float [N, 3072]."""
    norm = np.sqrt((directions * directions).sum(axis=1, keepdims=True))
    return np.asarray(directions / np.maximum(norm, 1e-12), np.float32)
