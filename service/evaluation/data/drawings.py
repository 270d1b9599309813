"""Pictures that are no photos, drawn here or shipped with scikit-image and scikit-learn.

Each is drawn large and squashed as any upload is; noise and patterns of single pixels are drawn at
the thumbnail's own size. One seed gives the same pictures, up to the rounding of Pillow's version.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.evaluation.data.pictures import Pictures, Pixels, squash

Random = np.random.Generator
Colour = tuple[int, int, int]

LARGE = 256
EACH = 24
SEED = 15
INK, WHITE = (24, 24, 28), (255, 255, 255)
SENTENCE = "every byte of a picture can be the last one, and the rest comes later or never at all"


def other_kinds(size: int, each: int = EACH, seed: int = SEED) -> Pictures:
    """``each`` pictures of every kind, uint8 [size, size, 3], named ``kind/number``."""
    names, rgb = [], []
    for number, (kind, draw) in enumerate(KINDS.items()):
        random = np.random.default_rng((seed, number))
        for index in range(each):
            names.append(f"{kind}/{index:02}")
            rgb.append(draw(random, index, size))
    return Pictures(tuple(names), tuple(rgb))


def _icons(random: Random, index: int, size: int) -> Pixels:
    ground, first, second = (any_colour(random) for _ in range(3))
    image, draw = _canvas(WHITE if index % 2 else ground)
    if index % 3:
        draw.rounded_rectangle((16, 16, 240, 240), radius=48 * (index % 4), fill=first)
    across, down, radius = (
        int(random.integers(*ends)) for ends in ((96, 160), (96, 160), (40, 90))
    )
    corners, turn = int(random.integers(3, 9)), float(random.uniform(0, 360))
    if index % 4 == 0:
        draw.ellipse(
            (across - radius, down - radius, across + radius, down + radius),
            fill=second,
            outline=INK,
            width=10,
        )
    elif index % 4 == 1:
        draw.regular_polygon((across, down, radius), corners, turn, fill=second)
    elif index % 4 == 2:
        draw.polygon(_star((across, down), radius, corners + 2, turn), fill=second)
    else:
        draw.text((128, 128), "PX&7?"[index % 5], second, default_font(150), anchor="mm")
    return _squashed(image, size)


def _screenshots(random: Random, index: int, size: int) -> Pixels:
    dark = index % 3 == 0
    ground, ink = ((30, 32, 40), (210, 214, 220)) if dark else ((246, 247, 249), INK)
    accent = any_colour(random)
    image, draw = _canvas(ground)
    draw.rectangle((0, 0, 256, 24), fill=accent)
    for dot, colour in enumerate(((255, 95, 86), (255, 189, 46), (39, 201, 63))):
        draw.ellipse((8 + 16 * dot, 7, 18 + 16 * dot, 17), fill=colour)
    side = int(random.integers(0, 90))
    draw.rectangle((0, 24, side, 256), fill=mixed_colour(ground, accent, 0.25))
    top = 36
    while top < 236:
        if random.random() < 0.15:
            height = int(random.integers(24, 70))
            draw.rounded_rectangle(
                (side + 12, top, side + int(random.integers(52, 152)), top + height),
                6,
                fill=mixed_colour(ground, any_colour(random), 0.7),
            )
            top += height + 10
        else:
            draw.text((side + 12, top), some_words(random, 5), ink, default_font(11))
            top += 16
    return _squashed(image, size)


def _drawings(random: Random, index: int, size: int) -> Pixels:
    if index % 3 == 0:
        from sklearn.datasets import load_digits

        digit = load_digits().images[int(random.integers(1000))]
        grey = Image.fromarray(np.uint8(255 - digit * 15.9)).convert("RGB")
        return _squashed(grey.resize((LARGE, LARGE), Image.Resampling.BICUBIC), size)
    image, draw = _canvas((250, 247, 240))
    for _ in range(int(random.integers(4, 12))):
        knots = random.uniform(10, 246, (4, 2))
        t = np.linspace(0, 1, 60)[:, None]
        weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
        path = [tuple(point) for point in (weights @ knots).tolist()]
        colour = INK if index % 3 == 1 else any_colour(random)
        draw.line(path, fill=colour, width=int(random.integers(2, 9)), joint="curve")
    return _squashed(image, size)


def _text(random: Random, index: int, size: int) -> Pixels:
    if index % 4 == 0:
        import skimage.data

        page: Pixels = getattr(skimage.data, ("page", "text")[index // 4 % 2])()
        side = int(random.integers(60, min(page.shape)))
        top, left = (int(random.integers(0, edge - side + 1)) for edge in page.shape)
        crop = Image.fromarray(page[top : top + side, left : left + side])
        return _squashed(crop.convert("RGB"), size)
    light = index % 4 != 1
    image, draw = _canvas(WHITE if light else INK)
    height = int(random.integers(9, 60))
    for top in range(6, 250, height + 4):
        line = some_words(random, max(1, 110 // height))
        draw.text((8, top), line, INK if light else WHITE, default_font(height))
    return _squashed(image, size)


def gradient(random: Random, index: int, shape: tuple[int, int]) -> Pixels:
    """Colours along a line, around a point or by the angle: uint8 [H, W, 3]."""
    y, x = (at / (side - 1) for at, side in zip(np.indices(shape), shape, strict=True))
    turn = random.uniform(0, 2 * math.pi)
    if index % 3 == 0:
        at = x * math.cos(turn) + y * math.sin(turn)
    elif index % 3 == 1:
        at = np.hypot(x - random.uniform(0, 1), y - random.uniform(0, 1))
    else:
        at = (np.arctan2(y - 0.5, x - 0.5) + math.pi) / (2 * math.pi)
    at = (at - at.min()) / (at.max() - at.min())
    stops = np.linspace(0, 1, int(random.integers(2, 5)))
    colours = np.array([any_colour(random) for _ in stops], float)
    rgb: Pixels = np.rint(
        np.stack([np.interp(at, stops, channel) for channel in colours.T], axis=2)
    ).astype(np.uint8)
    return rgb


def _gradients(random: Random, index: int, size: int) -> Pixels:
    return squash(gradient(random, index, (LARGE, LARGE)), size)


def noise(random: Random, index: int, shape: tuple[int, int]) -> Pixels:
    """Of three colours, of greys, or patterns of few pixels in two colours: uint8 [H, W, 3]."""
    if index % 3 == 0:
        return random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    if index % 3 == 1:
        grey = random.normal(128, 40, (*shape, 1))
        return np.broadcast_to(grey, (*shape, 3)).round().clip(0, 255).astype(np.uint8)
    cell = int(random.integers(1, 5))
    y, x = np.indices(shape) // cell
    pattern = ((x + y) % 2, x % 2, random.integers(0, 2, shape))[index // 3 % 3]
    colours = np.array([any_colour(random), any_colour(random)], np.uint8)
    return colours[pattern]


def _noise(random: Random, index: int, size: int) -> Pixels:
    return noise(random, index, (size, size))


KINDS: dict[str, Callable[[Random, int, int], Pixels]] = {
    "drawings": _drawings,
    "gradients": _gradients,
    "icons": _icons,
    "noise": _noise,
    "screenshots": _screenshots,
    "text": _text,
}


def _canvas(ground: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (LARGE, LARGE), ground)
    return image, ImageDraw.Draw(image)


def _squashed(image: Image.Image, size: int) -> Pixels:
    return squash(np.asarray(image), size)


def any_colour(random: Random) -> Colour:
    """Any."""
    red, green, blue = (int(level) for level in random.integers(0, 256, 3))
    return red, green, blue


def mixed_colour(one: Colour, other: Colour, share: float) -> Colour:
    """One with a share of the other."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _star(
    middle: tuple[int, int], radius: int, points: int, turn: float
) -> list[tuple[float, float]]:
    corners = []
    for corner in range(2 * points):
        reach, angle = radius / (1 + corner % 2), math.radians(turn) + corner * math.pi / points
        corners.append((middle[0] + reach * math.cos(angle), middle[1] + reach * math.sin(angle)))
    return corners


def some_words(random: Random, words: int) -> str:
    """So many."""
    return " ".join(str(word) for word in random.choice(SENTENCE.split(), words))


def default_font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own."""
    return ImageFont.load_default(height)
