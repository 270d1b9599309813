"""Photos from an upload to a raster: the right bytes, at the right size, of the right kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.codec.container import unpack
from service.codec.header import pack_header
from service.codec.interface import Level
from service.errors import ConfigurationError
from service.http.request.signature import signature
from tests.support.app import CountingCodec, running_app
from tests.support.codec import DEFAULT, PHOTO_HEADER_BYTES, RawPhotoCodec
from tests.support.photos import crops, encoded

UPLOADS = (DEFAULT, "raw-photo")
PICTURE = crops(1, size_range=(240, 240))[0].crop((0, 0, 240, 180))


@dataclass(frozen=True)
class WatchedPhotoCodec(RawPhotoCodec):
    """Notes which sizes were asked for, and says that photos have an MS-SSIM."""

    sizes: list[int | None] = field(default_factory=list)

    def decode(self, prefixes: Any, size: int | None = None) -> Any:
        self.sizes.append(size)
        return super().decode(prefixes, size)

    def measure(self, pictures: Any, streams: Any) -> Any:
        return [
            tuple(replace(level, msssim=level.ssim / 2) for level in levels)
            for levels in super().measure(pictures, streams)
        ]


@dataclass(frozen=True)
class UnmeasuredPhotoCodec(RawPhotoCodec):
    """Measures the whole alone, which takes no time."""

    def measure(self, pictures: Any, streams: Any) -> Any:
        return [(Level(len(stream), 1.0, 100.0),) for stream in streams]


def photo_app(codec: RawPhotoCodec | None = None, **settings: Any) -> Any:
    """One of thumbnails and one of photos, and uploads make both."""
    codecs = (CountingCodec(), codec or WatchedPhotoCodec())
    return running_app(codecs, default_codecs=UPLOADS, **settings)


@pytest.fixture(scope="module")
def app():
    with photo_app() as started:
        yield started


@pytest.fixture(scope="module")
def image(app):
    """240 x 180, without loss."""
    return app.upload(encoded("png", PICTURE))


@pytest.fixture(scope="module")
def base(image):
    return f"/v1/images/{image['id']}/photo"


def opened(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def refused(answer, parameter):
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter), answer.text


def test_an_upload_makes_both_kinds_and_the_document_says_what_they_are(app, image, base):
    photo = image["codecs"]["raw-photo"]
    assert (image["width"], image["height"]) == (photo["width"], photo["height"]) == (240, 180)
    assert photo["measured"] == {"width": 240, "height": 180}
    assert photo["bytes"] == PHOTO_HEADER_BYTES + 3 * 240 * 180
    last = photo["levels"][-1]
    assert set(last) == {"bytes", "bpp", "psnr", "ssim", "msssim"}
    assert last["bpp"] == round(8 * photo["bytes"] / (240 * 180), 4)
    assert set(photo["urls"]) == {"pxl", "webp", "png", "jpg", "avif"}
    assert photo["urls"]["avif"].startswith(f"{base}.avif?codec=raw-photo&v=")
    for url in (*photo["urls"].values(), *image["codecs"][DEFAULT]["urls"].values()):
        assert app.get(url).status_code == 200
    assert app.get(f"/v1/images/{image['id']}").json() == image


def test_the_thumbnail_is_the_same_whatever_else_an_upload_makes():
    # as a thumbnail it is decoded at a quarter, as a photo at half its size
    upload = encoded("jpeg", Image.fromarray(np.tile(np.asarray(PICTURE), (6, 6, 1))))
    found = []
    for codecs in (",".join(UPLOADS), DEFAULT):
        with photo_app(UnmeasuredPhotoCodec(), photo_side=600) as app:
            found.append(app.upload(upload, f"?codecs={codecs}")["codecs"][DEFAULT]["v"])
    assert found[0] == found[1]


@pytest.mark.parametrize(("side", "size"), [(100, (100, 75)), (240, (240, 180))])
def test_a_photo_is_shrunk_to_its_longest_side_and_never_enlarged(side, size):
    with photo_app(photo_side=side) as app:
        turned = Image.Exif()
        turned[0x0112] = 6
        upload = encoded("jpeg", PICTURE.transpose(Image.Transpose.ROTATE_90), exif=turned)
        photo = app.upload(upload)["codecs"]["raw-photo"]
        assert (photo["width"], photo["height"]) == size


def test_a_prefix_and_a_range_are_bytes_of_the_one_stream(app, image, base):
    whole = app.get(f"{base}.pxl").content
    assert len(whole) == image["codecs"]["raw-photo"]["bytes"]
    prefix = app.get(f"{base}.pxl?bytes=500")
    assert prefix.content == whole[:500]
    part = app.get(f"{base}.pxl", range="bytes=500-99999")
    assert (part.status_code, part.content) == (206, whole[500:100000])
    again = app.get(f"{base}.pxl?bytes=500", if_none_match=prefix.headers["etag"])
    assert again.status_code == 304


def test_bits_a_pixel_are_counted_on_the_stored_photo(app, base):
    assert len(app.get(f"{base}.pxl?bpp=0.5").content) == 240 * 180 // 16
    assert len(app.get(f"{base}.pxl?bpp=0.5&bytes=100").content) == 100
    refused(app.get(f"{base}.pxl?bpp=0.0001"), "bpp")
    refused(app.get(f"{base}.pxl?bpp=-1"), "bpp")


def test_a_quality_is_the_shortest_measured_prefix_that_has_it(app, image, base):
    levels = image["codecs"]["raw-photo"]["levels"]
    for quality in ("ssim", "psnr", "msssim"):
        answer = app.get(f"{base}.pxl?{quality}={levels[5][quality]}")
        wanted = next(one for one in levels if one[quality] >= levels[5][quality])
        assert len(answer.content) == wanted["bytes"]
        assert float(answer.headers[f"prefixel-{quality}"]) == pytest.approx(
            wanted[quality], abs=0.006
        )


def test_without_an_ms_ssim_none_can_be_asked_for():
    with photo_app(RawPhotoCodec()) as app:
        image = app.upload(encoded("jpeg"))
        assert "msssim" not in image["codecs"]["raw-photo"]["levels"][0]
        refused(app.get(f"/v1/images/{image['id']}/photo.pxl?msssim=0.9"), "msssim")


def test_a_codec_of_the_other_kind_is_refused(app, image, base):
    thumb = f"/v1/images/{image['id']}/thumb"
    for output in ("pxl", "webp"):
        refused(app.get(f"{base}.{output}?codec={DEFAULT}"), "codec")
        refused(app.get(f"{thumb}.{output}?codec=raw-photo"), "codec")
    refused(app.get(f"{thumb}.pxl?bpp=1"), "query")


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", (240, 180)),
        ("?size=120", (120, 90)),
        ("?width=120", (120, 90)),
        ("?height=120", (160, 120)),
        ("?width=100&height=30", (40, 30)),
        ("?width=100&height=30&fit=contain", (40, 30)),
        ("?width=100&height=30&fit=cover", (100, 30)),
        ("?width=480", (480, 360)),
        ("?height=1", (1, 1)),
    ],
)
def test_a_raster_has_the_size_that_was_asked_for(app, base, query, size):
    assert opened(app.get(f"{base}.jpg{query}")).size == size


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("size=5&width=5", "size"),
        ("fit=cover", "fit"),
        ("fit=cover&width=5", "fit"),
        ("width=0", "width"),
        ("height=4097", "height"),
        ("quality=101", "quality"),
        ("fit=stretch&width=5&height=5", "fit"),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused(app, base, query, parameter):
    refused(app.get(f"{base}.webp?{query}"), parameter)


def test_the_whole_stream_paints_the_photo_and_cover_shows_its_middle(app, base):
    painted = np.asarray(opened(app.get(f"{base}.png")))
    assert (painted == np.asarray(PICTURE)).all()
    middle = np.asarray(opened(app.get(f"{base}.png?width=60&height=180&fit=cover")))
    assert (middle == np.asarray(PICTURE)[:, 90:150]).all()


def test_a_small_raster_is_decoded_small(app, base):
    sizes = app.services.codecs["raw-photo"].sizes
    sizes.clear()
    for query in ("size=50", "height=60", "width=60&height=180&fit=cover"):
        assert app.get(f"{base}.webp?{query}").status_code == 200
    assert sizes == [50, 80, 240]


def test_quality_is_the_formats_own_and_png_has_none(app, base):
    for output in ("webp", "jpg", "avif"):
        low, high = (len(app.get(f"{base}.{output}?quality={q}").content) for q in (10, 95))
        assert low < high / 3
    refused(app.get(f"{base}.png?quality=10"), "query")


def test_photos_go_through_the_stateless_paths_too(app, base):
    whole = app.get(f"{base}.pxl").content
    upload = encoded("png", PICTURE)
    cut = app.request("POST", "/v1/encode?codec=raw-photo&bytes=900", content=upload)
    assert cut.content == whole[:900]
    url = "/v1/decode?format=avif&width=40&height=40&fit=cover&quality=40"
    picture = opened(app.request("POST", url, content=cut.content))
    assert (picture.format, picture.size) == ("AVIF", (40, 40))
    thumb = app.get(base.replace("photo", "thumb") + ".pxl").content
    for query in ("width=9", "size=513", "quality=5&format=jpg"):
        answer = app.request("POST", f"/v1/decode?{query}", content=thumb)
        refused(answer, query.partition("=")[0])


def test_a_page_of_photo_prefixes_comes_in_one_body(app, image, base):
    answer = app.get(f"/v1/thumbs?ids={image['id']}&codec=raw-photo&bytes=300")
    [entry] = unpack(answer.content)
    assert entry.data == app.get(f"{base}.pxl?bytes=300").content


def test_a_raster_without_a_size_is_not_as_large_as_a_header_can_say(app):
    head = pack_header(29, 0, 4096 / 16) + bytes((0, 16, 16, 0))
    sizes = app.services.codecs["raw-photo"].sizes
    sizes.clear()
    answer = app.request("POST", "/v1/decode?format=jpg", content=head)
    assert opened(answer).size == (2048, 8)
    assert sizes == [2048]


def test_only_the_sizes_that_are_allowed_are_painted():
    with photo_app(raster_sizes="64,96") as app:
        image = app.upload(encoded("png", PICTURE))
        base = f"/v1/images/{image['id']}"
        assert opened(app.get(f"{base}/photo.jpg?width=64&height=96&fit=cover")).size == (64, 96)
        assert opened(app.get(f"{base}/photo.jpg")).size == (96, 72)
        refused(app.get(f"{base}/photo.jpg?width=65"), "width")
        refused(app.get(f"{base}/thumb.jpg?size=65"), "size")
        prefix = app.get(f"{base}/photo.pxl?bytes=100").content
        refused(app.request("POST", "/v1/decode?size=65", content=prefix), "size")


def test_with_a_key_rasters_need_a_signature_and_streams_do_not():
    with photo_app(sign_key="secret") as app:
        image = app.upload(encoded("png", PICTURE))
        for codec in image["codecs"].values():
            for url in codec["urls"].values():
                assert app.get(url).status_code == 200
        path = f"/v1/images/{image['id']}/photo.webp"
        made = f"{path}?width=64&bytes=900"
        mac = signature(b"secret", path, "width=64&bytes=900")
        assert opened(app.get(f"{made}&signature={mac}")).size == (64, 48)
        last = "A" if mac[-1] != "A" else "B"
        for url in (
            made,
            f"{path}",
            f"{path}?signature={mac}",
            f"{made}&signature={mac[:-1]}{last}",
            f"{path}?width=65&bytes=900&signature={mac}",
            f"{path}?bytes=900&width=64&signature={mac}",
            f"{made}&signature={mac}&size=9",
            f"{path.replace('webp', 'png')}?width=64&bytes=900&signature={mac}",
        ):
            answer = app.get(url)
            assert (answer.status_code, answer.json()["type"]) == (
                403,
                "urn:prefixel:problem:signature",
            )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"default_codecs": ("nonesuch",)}, "PREFIXEL_DEFAULT_CODECS is 'nonesuch'"),
        ({"default_codec": "raw-photo"}, "a codec of photos"),
    ],
)
def test_codecs_that_do_not_fit_are_refused_at_the_start(settings, text):
    with (
        pytest.raises(ConfigurationError, match=text),
        running_app((CountingCodec(), RawPhotoCodec()), **settings),
    ):
        pass


def test_where_no_codec_of_photos_is_loaded_there_is_no_photo():
    with running_app() as app:
        answer = app.get(f"/v1/images/{'a' * 26}/photo.pxl")
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "urn:prefixel:problem:not-encoded",
        )
