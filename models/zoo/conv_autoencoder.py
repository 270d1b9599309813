"""The convolutional / deconvolutional autoencoder: Toderici et al. 2015, section 3.5 and Table 1.

One step of the residual encoder, whose first residual is the picture itself, trained for one size:
8 bits at each of 8x8 positions are 64 bytes, 16 bits are 128. A stream is one chunk, and the
cut ones are decoded with the missing bits at 0, though nothing trained for that.

Our reading: the layers of ``conv_residual``, wider, since all the work of a picture is in one step.
"""

from __future__ import annotations

from models.zoo.conv_residual import Config

BYTES_64 = {
    "paper": Config((64, 256, 512), stages=1, bits=8, iterations=1),
    "small": Config((64, 128, 192), stages=1, bits=8, iterations=1),
}
BYTES_128 = {
    "paper": Config((64, 256, 512), stages=1, bits=16, iterations=1),
    "small": Config((64, 128, 192), stages=1, bits=16, iterations=1),
}
