"""What the service's search works out by hand is what autograd finds."""

from __future__ import annotations

import numpy as np
import torch

from models.photo import perceived
from models.photo.__main__ import weights_of
from models.photo.coding import Coding
from models.photo.distortion import STRUCTURE, distortion, ms_ssim
from models.photo.gradient import Gradient
from models.photo.networks import LEVELS, SHAPES, TOLD, Networks
from models.photo.rate import Rate
from models.photo.stages import read
from models.photo.states import States
from models.photo.training import Trained
from service.codec.geometry import Size
from service.codec.photo import encoder, search
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.threads import Threads
from service.codec.photo.transform import DETAILS
from service.codec.registry import load_newest
from service.inference import Runtime
from service.quality.slopes import ms_ssim_slope, seen_slope
from service.settings import packaged_artifacts

FOLDER = packaged_artifacts() / "photo"


def test_the_way_back_through_a_synthesis() -> None:
    torch.manual_seed(0)
    network = Networks(SHAPES["tiny"])
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    cells = torch.randn(2, 192, 9, 7, requires_grad=True)
    told, slope = torch.rand(2, TOLD), torch.randn(2, 192, 9, 7)
    (network.known(cells, told) * slope).sum().backward()
    with torch.no_grad():
        found = Gradient(network.synthesis)(cells, told, slope)
    torch.testing.assert_close(found, cells.grad, atol=1e-4, rtol=1e-4)


def test_errors_and_their_slopes(pictures) -> None:
    photo = torch.from_numpy(pictures[0]).permute(2, 0, 1)[None].float()
    shown = (0.9 * photo + 10 + 4 * torch.randn_like(photo)).requires_grad_()
    seen = perceived.weights(torch.device("cpu")).numpy()
    mine = {
        ms_ssim: ms_ssim_slope,
        perceived.errors: lambda x, y: seen_slope(x, y, seen),
    }
    for theirs, own in mine.items():
        shown.grad = None
        value = theirs(photo, shown)[0]
        value.backward()
        found, slope = own(photo[0].numpy(), shown[0].detach().numpy())
        assert abs(found - float(value.detach())) < 1e-3 * abs(found)
        assert shown.grad is not None
        _alike(slope, shown.grad[0].numpy(), 0.9999)


def test_a_cut_is_judged_as_training_judges_it(pictures) -> None:
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 1))["photo"]
    assert isinstance(codec, PhotoCodec)
    picture = pictures[0]
    grid, steps = codec.geometry(Size.of(picture), 0, True)
    split = encoder.analysed(picture, grid, steps, Threads(1), codec.network("analysis"))
    aim = search.Aim(grid, steps, codec.tables(True), 0)
    cut = codec._search._cuts(split, aim, Threads(1))[1]
    target = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
    loss, slopes = codec._search._judged(target, split, cut, aim)

    networks = Networks(SHAPES["full"])
    networks.load_state_dict(read(FOLDER))
    table = search.read(FOLDER / "search.npz")
    rate = Rate(len(table.rate))
    rate.weights.data = torch.from_numpy(table.rate).expm1().log()
    states = States(codec.tables(True).stored, 0, len(picture))
    coding = Coding(states)
    whole = next(
        n
        for n in range(len(states.reached))
        if (states.reached[n].numpy() == cut.known.planes).all()
    )
    photo = torch.from_numpy(target)[None]
    with torch.no_grad():
        coded = coding.analysed(photo, networks)
    for part in coded.details:
        part.requires_grad_()
    planes = states.planes([(whole, 0.0)])
    shown = coding.shown(coded, planes)
    painted = coding.painted(shown, planes, networks)
    d = distortion(photo, painted, search.STRUCTURE)
    seen = perceived.errors(photo, painted)
    apart = seen.log() - d.log()
    weighed = d * torch.exp(search.SEEN * (apart - apart.detach()))
    bits = rate(coded.details, shown.details, planes) / target[0].size
    total = torch.log(weighed + states.exchange[whole] * bits).sum()
    total.backward()
    assert STRUCTURE == search.STRUCTURE_WEIGHT
    assert abs(loss - float(total.detach())) < 0.1  # theirs leaves out what the lowest band costs
    for level in range(3):
        size = states.detail_steps[level][0].numpy()
        theirs = coded.details[level].grad[0].numpy() / size
        mine = np.stack([[slopes[c][level][y::2, x::2] for y, x in DETAILS] for c in range(3)])
        # autograd says that nothing depends on a coefficient that is exactly 0
        told = shown.details[level][0].detach().numpy() != 0
        _alike(mine[told], theirs[told], 0.99)


def _alike(one: np.ndarray, other: np.ndarray, least: float) -> None:
    """In direction, and nearly in length."""
    lengths = np.linalg.norm(one.ravel()), np.linalg.norm(other.ravel())
    assert (one * other).sum() / lengths[0] / lengths[1] > least
    assert abs(lengths[0] / lengths[1] - 1) < 0.05


def test_a_training_goes_on_with_what_is_served() -> None:
    model = Trained(SHAPES["full"], LEVELS)
    model.load_state_dict(weights_of(FOLDER))
    table = torch.from_numpy(search.read(FOLDER / "search.npz").rate)
    torch.testing.assert_close(torch.nn.functional.softplus(model.rate.weights.detach()), table)
