"""Pictures of a photo's size that are no photos, all drawn here: no side is squashed.

One seed gives the same pictures, up to the rounding of Pillow's version.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from service.evaluation.data.drawings import (
    INK,
    SEED,
    WHITE,
    Random,
    any_colour,
    default_font,
    gradient,
    mixed_colour,
    noise,
    some_words,
)
from service.evaluation.data.pictures import Pictures, Pixels

WIDTH, HEIGHT = 512, 384
EACH = 4
SHARPER = 2
"""Lines are drawn so many times as large, and scaled down."""


def drawn_photos(each: int = EACH, seed: int = SEED) -> Pictures:
    """``each`` pictures of every kind, uint8 [384, 512, 3], named ``kind/number``."""
    names, rgb = [], []
    for number, (kind, draw) in enumerate(KINDS.items()):
        random = np.random.default_rng((seed, number))
        for index in range(each):
            names.append(f"{kind}/{index:02}")
            rgb.append(draw(random, index))
    return Pictures(tuple(names), tuple(rgb))


def _screenshots(random: Random, index: int) -> Pixels:
    """A window with a bar, a list beside it, lines of text, buttons, a chart."""
    dark = index % 2 == 1
    ground, ink = ((30, 32, 40), (210, 214, 220)) if dark else ((246, 247, 249), INK)
    accent = any_colour(random)
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    side = int(random.integers(80, 140))
    draw.rectangle((0, 0, WIDTH, 28), fill=accent)
    draw.text((side, 6), some_words(random, 4), WHITE, default_font(14))
    draw.rectangle((0, 28, side, HEIGHT), fill=mixed_colour(ground, accent, 0.2))
    for top in range(40, HEIGHT - 20, 22):
        draw.text((10, top), some_words(random, 2), ink, default_font(12))
    top = 40
    while top < HEIGHT - 30:
        if random.random() < 0.2:
            box = (side + 14, top, side + 14 + int(random.integers(70, 160)), top + 24)
            draw.rounded_rectangle(box, 6, fill=any_colour(random))
            top += 34
        else:
            draw.text((side + 14, top), some_words(random, 7), ink, default_font(12))
            top += 17
    bars = random.integers(10, 110, 9).tolist()
    for n, high in enumerate(bars):
        left = WIDTH - 130 + 12 * n
        draw.rectangle((left, HEIGHT - 20 - high, left + 8, HEIGHT - 20), fill=accent)
    return np.asarray(image)


def _drawings(random: Random, index: int) -> Pixels:
    """Flat shapes under curves of a pen; every other one in ink alone."""
    ink = index % 2 == 0
    size = WIDTH * SHARPER, HEIGHT * SHARPER
    image = Image.new("RGB", size, (250, 247, 240))
    draw = ImageDraw.Draw(image)
    for _ in range(0 if ink else int(random.integers(4, 9))):
        corners = random.uniform((0, 0), size, (int(random.integers(3, 6)), 2))
        draw.polygon([tuple(corner) for corner in corners.tolist()], fill=any_colour(random))
    for _ in range(int(random.integers(8, 20))):
        knots = random.uniform((0, 0), size, (4, 2))
        t = np.linspace(0, 1, 120)[:, None]
        weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
        path = [tuple(point) for point in (weights @ knots).tolist()]
        draw.line(path, fill=INK, width=int(random.integers(3, 12)), joint="curve")
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def _text(random: Random, index: int) -> Pixels:
    """A page in one size of letters, every third white on black."""
    paper, ink = (INK, WHITE) if index % 3 == 2 else (WHITE, INK)
    image = Image.new("RGB", (WIDTH, HEIGHT), paper)
    draw = ImageDraw.Draw(image)
    height = (12, 16, 22, 36)[index % 4]
    for top in range(12, HEIGHT - height, height + 6):
        words = some_words(random, max(2, 180 // height))
        draw.text((16, top), words, ink, default_font(height))
    return np.asarray(image)


KINDS: dict[str, Callable[[Random, int], Pixels]] = {
    "drawings": _drawings,
    "gradients": lambda random, index: gradient(random, index, (HEIGHT, WIDTH)),
    "noise": lambda random, index: noise(random, index, (HEIGHT, WIDTH)),
    "screenshots": _screenshots,
    "text": _text,
}
