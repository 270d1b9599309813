"""/v1/codecs says what is loaded, and which is the default."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.app import running_app
from tests.support.codec import DEFAULT, GreyCodec, RawPhotoCodec
from tests.support.photos import encoded


@dataclass(frozen=True)
class OtherCodec(GreyCodec):
    name: str = "another"
    wire_id: int = 30


def test_a_codecs_minimum_is_a_budgets_minimum():
    with running_app((GreyCodec(minimum_bytes=9),)) as app:
        photo = encoded("jpeg")
        id = app.upload(photo)["id"]
        image = f"/v1/images/{id}/thumb"
        for url in (f"{image}.pxl?", f"{image}.png?", f"/v1/thumbs?ids={id}&"):
            assert app.get(f"{url}bytes=9").status_code == 200
            answer = app.get(f"{url}bytes=8")
            assert answer.status_code == 400
            assert answer.json()["allowed"] == "9 or more"
        assert app.request("POST", "/v1/encode?bytes=8", content=photo).status_code == 400


def test_every_codec_is_listed_by_name_with_its_bounds():
    with running_app((GreyCodec(), OtherCodec(), RawPhotoCodec())) as app:
        answer = app.get("/v1/codecs")
        assert answer.headers["content-type"] == "application/json"
        content = answer.json()
        assert content["default"] == DEFAULT
        assert content["uploads"] == [DEFAULT]
        names = [one["name"] for one in content["codecs"]]
        assert names == ["another", DEFAULT, "raw-photo"]
        assert (content["codecs"][2]["kind"], content["codecs"][2]["picture_size"]) == (
            "photo",
            None,
        )
        assert content["codecs"][1] == {
            "name": DEFAULT,
            "kind": "thumb",
            "wire_id": 31,
            "version": 0,
            "minimum_bytes": 2,
            "maximum_bytes": 258,
            "picture_size": 32,
        }
        assert app.get("/v1/codecs?x=1").status_code == 400
        assert app.request("HEAD", "/v1/codecs").headers["content-length"] == str(
            len(answer.content)
        )
