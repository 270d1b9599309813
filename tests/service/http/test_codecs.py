"""/v1/codecs says what is loaded, and which is the default."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.app import running_app
from tests.support.codec import GreyCodec


@dataclass(frozen=True)
class OtherCodec(GreyCodec):
    name: str = "another"
    wire_id: int = 30


def test_every_codec_is_listed_by_name_with_its_bounds():
    with running_app((GreyCodec(), OtherCodec())) as app:
        answer = app.get("/v1/codecs")
        assert answer.headers["content-type"] == "application/json"
        content = answer.json()
        assert content["default"] == "conv-lstm"
        assert [one["name"] for one in content["codecs"]] == ["another", "conv-lstm"]
        assert content["codecs"][1] == {
            "name": "conv-lstm",
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
