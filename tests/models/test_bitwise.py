"""One bit a step on grey patches: what the appendix of Toderici et al. 2015 looks at."""

from __future__ import annotations

import torch

from models.zoo.fc_lstm_bitwise import Codec, Config, grey, tree


def codec() -> Codec:
    torch.manual_seed(4)
    return Codec(Config(6)).eval()


@torch.no_grad()
def test_a_step_spends_one_bit_a_patch_of_a_grey_picture() -> None:
    x = grey(torch.rand(2, 3, 32, 32) * 1.8 - 0.9)
    pictures, codes = codec()(x, 3)
    assert [tuple(picture.shape) for picture in pictures] == [(2, 1, 32, 32)] * 3
    assert [tuple(bits.shape) for bits in codes] == [(2, 1, 4, 4)] * 3
    assert set(torch.stack(codes).unique().tolist()) <= {-1.0, 1.0}


@torch.no_grad()
def test_the_tree_holds_what_the_decoder_paints_of_each_string() -> None:
    built = codec()
    painted = tree(built, 3)
    assert [tuple(level.shape) for level in painted] == [(2, 8, 8), (4, 8, 8), (8, 8, 8)]
    states = built.decoder.start(1)
    for length, bit in enumerate((1.0, -1.0, 1.0), 1):  # the string 101, the number 5
        picture, states = built.decoder(torch.full((1, 1, 4, 4), bit), states)
        number = 0b101 >> (3 - length)
        torch.testing.assert_close(painted[length - 1][number], picture[0, 0, :8, :8])
