"""The pictures that are evaluated, named by a hash of their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.errors import ConfigurationError, PictureError
from service.pictures import Limits, Opener

Pixels = NDArray[np.uint8]
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp", ".heic", ".ppm")
)


@dataclass(frozen=True)
class Pictures:
    """``rgb`` are uint8 [H, W, 3] each; ``names`` say which is which."""

    names: tuple[str, ...]
    rgb: tuple[Pixels, ...]

    def __len__(self) -> int:
        return len(self.rgb)

    def __getitem__(self, part: slice) -> Pictures:
        return Pictures(self.names[part], self.rgb[part])

    @property
    def digest(self) -> str:
        """SHA-256 over shapes and pixels, in hex."""
        found = hashlib.sha256()
        for picture in self.rgb:
            found.update(f"{picture.shape}".encode())
            found.update(np.ascontiguousarray(picture).tobytes())
        return found.hexdigest()

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Width times height of each, int64 [N]."""
        return np.array([rgb.shape[0] * rgb.shape[1] for rgb in self.rgb], dtype=np.int64)

    @property
    def least_side(self) -> int:
        """Shortest side of any, in pixels."""
        return int(min(min(rgb.shape[:2]) for rgb in self.rgb))

    def describe(self) -> str:
        """How many, how large, and which, in words."""
        shapes = sorted({f"{rgb.shape[1]}x{rgb.shape[0]}" for rgb in self.rgb})
        sizes = ", ".join(shapes[:4]) + (", ..." if len(shapes) > 4 else "")
        return f"{len(self)} pictures of {sizes}, sha256 {self.digest[:16]}"


Refused = Callable[[ConfigurationError], None]


def load_pictures(path: Path, size: int | None, refused: Refused | None = None) -> Pictures:
    """Pictures of a folder (in the order of their names) or of an .npz file with ``rgb``.

    ``size``: a folder's pictures are squashed to that side with the service's own Lanczos filter;
    None leaves them as they are. An .npz holds uint8 [N, H, W, 3] and is taken as it is.
    A file that cannot be read is left out where ``refused`` is there to hear which and why.
    Raises ConfigurationError when there are none, or one cannot be read and nobody hears of it.
    """
    if path.suffix == ".npz" and path.is_file():
        return _from_arrays(path)
    if not path.is_dir():
        raise ConfigurationError(f"{path} is neither a folder nor an .npz file")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise ConfigurationError(f"{path} holds no pictures")
    opener = Opener(Limits())
    found: dict[str, Pixels] = {}
    for file in files:
        try:
            found[str(file.relative_to(path))] = _open(file, opener, size)
        except ConfigurationError as error:
            if refused is None:
                raise
            refused(error)
    if not found:
        raise ConfigurationError(f"{path} holds no picture that can be read")
    return Pictures(tuple(found), tuple(found.values()))


def free_photos(size: int) -> Pictures:
    """Photos that ship with scikit-image and scikit-learn and anyone may show, squashed."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    names = ("astronaut", "chelsea", "coffee", "rocket")
    named = {name: getattr(skimage.data, name)() for name in names}
    named.update(zip(("china", "flower"), load_sample_images().images, strict=True))
    return Pictures(tuple(named), tuple(squash(photo, size) for photo in named.values()))


def squash(rgb: Pixels, size: int) -> Pixels:
    """uint8 [H, W, 3] to [size, size, 3] with Lanczos, whatever its aspect ratio."""
    return np.asarray(Image.fromarray(rgb).resize((size, size), Image.Resampling.LANCZOS))


def parse_splits(text: str, count: int) -> list[tuple[int, int]]:
    """``0:300,300:1000`` as pairs within 0..count; an empty end is the last picture.

    Raises ConfigurationError for what is not such pairs, or leaves nothing.
    """
    found = []
    for part in text.split(","):
        start, colon, stop = part.strip().partition(":")
        try:
            pair = (int(start or 0), min(int(stop or count), count))
        except ValueError:
            raise ConfigurationError(f"a split is START:STOP, not {part!r}") from None
        if not colon or not 0 <= pair[0] < pair[1]:
            raise ConfigurationError(f"the split {part!r} holds none of {count} pictures")
        found.append(pair)
    return found


def _from_arrays(path: Path) -> Pictures:
    with np.load(path, allow_pickle=False) as stored:
        if "rgb" not in stored:
            raise ConfigurationError(f"{path} holds no array 'rgb'")
        rgb = stored["rgb"]
    if rgb.dtype != np.uint8 or rgb.ndim != 4 or rgb.shape[3] != 3 or not len(rgb):
        raise ConfigurationError(f"'rgb' is uint8 [N, H, W, 3], not {rgb.dtype} {rgb.shape}")
    return Pictures(tuple(str(index) for index in range(len(rgb))), tuple(rgb))


def _open(file: Path, opener: Opener, size: int | None) -> Pixels:
    try:
        if size is not None:
            with opener.open(file.read_bytes(), size=size) as picture:
                return picture.rgb
        with Image.open(file) as opened:
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except (PictureError, OSError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
