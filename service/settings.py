"""Every setting, its default, its unit and its reason; read from ``PREFIXEL_*``.

Long, since each stands here and nowhere else, in five lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.codec.geometry import PHOTO_SIDE, THUMB_SIDE
from service.codec.header import HEADER_BYTES
from service.errors import ConfigurationError

Words = Annotated[tuple[str, ...], NoDecode]
PREFIX = "PREFIXEL_"
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")


def packaged_artifacts() -> Path:
    """Folder of the artifacts that were installed beside the service.

    The package is located, never imported: no code of ``models`` runs here.
    Raises ConfigurationError when the installation lacks it.
    """
    spec = find_spec("models")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("package 'models' is not installed; set PREFIXEL_ARTIFACTS_PATH")
    return Path(next(iter(spec.submodule_search_locations))) / "artifacts"


class Settings(BaseSettings):
    """All settings; a field ``x`` is the environment variable ``PREFIXEL_X``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    # artifacts and networks
    artifacts_path: Path | None = Field(
        default=None, description="Folder of the artifacts; unset: those installed with the package"
    )
    codecs: Words = Field(
        default=(),
        description="Codecs to load; empty: every artifact but the slow ones, which must be named",
    )
    default_codec: str = Field(
        default="prefixel", description="Codec of thumb.*, /v1/thumbs and /v1/encode, unless named"
    )
    default_codecs: Words = Field(
        default=(),
        description="Codecs of an upload that names none; empty: PREFIXEL_DEFAULT_CODEC and, where"
        " it is loaded, photo",
    )
    photo_bpp: float = Field(
        default=2.0, gt=0, le=8, description="Longest stream of a photo, in bits a pixel"
    )
    photo_networks: bool = Field(
        default=True,
        description="Networks around photos that they make better; false: around none",
    )
    effort: Literal["default", "high", "best"] = Field(
        default="default",
        description="How much an encoder does for a thumbnail; high and best search, and take long",
    )
    photo_effort: Literal["default", "high", "best"] = Field(
        default="default",
        description="The same for a photo: high and best take minutes a megapixel, and a deadline"
        " that allows them",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where networks run; auto takes CUDA when the runtime has it"
    )
    inference_threads: int = Field(
        default=0, ge=0, le=256, description="Threads of one network call; 0: as many as cores"
    )
    max_batch: Literal[1, 2, 4, 8, 16, 32, 64] = Field(
        default=64,
        description="Largest batch, in pictures; batches have sizes 1, 2, 4, ... up to this",
    )
    max_delay_ms: float = Field(
        default=2.0,
        ge=0,
        le=1000,
        description="Longest wait for a batch to fill, in ms, while others wait",
    )
    queue_limit: int = Field(
        default=512, ge=1, le=65536, description="Pictures that may wait for one network; more: 503"
    )
    queue_seconds: float = Field(
        default=20.0,
        gt=0,
        le=3600,
        description="Work that may wait for one network, in seconds of one core; more: 503",
    )
    picture_threads: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Uploads decoded at the same time, and rasters painted beside them; 0: as many"
        " of each as cores",
    )

    decoder: Literal["thread", "process"] = Field(
        default="thread",
        description="Where uploads are decoded; process: in as many processes of their own, whose"
        " crash or excess ends one upload (422) and nothing else",
    )
    raster_seconds: float = Field(
        default=4.0,
        gt=0,
        le=3600,
        description="Painting of rasters under way or waiting, in seconds of one core; more: 503",
    )
    raster_memory_bytes: int = Field(
        default=512 * 2**20,
        ge=2**20,
        description="Memory of the pictures that are being painted, and of decoding one of each"
        " codec; more: 503",
    )
    bytes_steps: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(),
        description="Budgets (bytes=) that GET serves; another is sent on (308) to the step below"
        " it, so that a CDN keeps few entries; empty: any",
    )
    raster_sizes: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(),
        description="Values that size, width and height of rasters may have; empty: any",
    )

    # limits on what comes in
    body_limit_bytes: int = Field(
        default=32 * 2**20, ge=1, description="Longest body, in bytes; more: 413"
    )
    body_timeout_seconds: float = Field(
        default=15.0, gt=0, le=3600, description="Time in which a body must arrive; else 408"
    )
    body_minimum_rate: int = Field(
        default=1024,
        ge=0,
        le=2**30,
        description="Bytes a second that a body keeps up after its first 5 s; slower: 408; 0: any",
    )
    uploads_limit: int = Field(
        default=128,
        ge=1,
        le=65536,
        description="Uploads being received or worked on at once; more: 503",
    )
    body_memory_bytes: int = Field(
        default=512 * 2**20,
        ge=2**20,
        description="Memory that all uploads in work may take; more: 503",
    )
    public_bodies_limit: int = Field(
        default=128,
        ge=1,
        le=65536,
        description="Bodies of routes without a token (/v1/decode, POST /v1/thumbs) being received"
        " or worked on at once; more: 503",
    )
    public_body_memory_bytes: int = Field(
        default=128 * 2**20,
        ge=2**20,
        description="Memory that those may take; more: 503",
    )
    pixel_limit: int = Field(
        default=64_000_000,
        ge=1,
        description="Most pixels of an upload, read from its header; more: 422",
    )
    decode_memory_bytes: int = Field(
        default=2**30,
        ge=2**20,
        description="Memory that pictures may take together until they are encoded",
    )
    photo_side: int = Field(
        default=2048,
        ge=THUMB_SIDE,
        le=PHOTO_SIDE,
        description="Long side of photos, in pixels; larger uploads are shrunk to it",
    )
    scan_limit: int = Field(
        default=64,
        ge=1,
        description="Most scans of a progressive JPEG; more: 422 (scans cost time)",
    )
    deadline_seconds: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Time for a request once its body is here; else 504",
    )
    ids_limit: int = Field(
        default=256, ge=1, le=4096, description="Most ids in one /v1/thumbs request"
    )

    inline_limit_bytes: int = Field(
        default=2**20,
        ge=64,
        le=2**26,
        description="Most bytes of a stream inside of an upload's answer; the first ones of longer",
    )

    # cache
    redis_url: SecretStr | None = Field(
        default=None,
        description="redis://, rediss:// or redis+cluster://NODE,NODE; unset: SQLite or memory",
    )
    redis_timeout_ms: float = Field(
        default=50.0, gt=0, le=60_000, description="Longest wait for one Redis command, in ms"
    )
    redis_connections: int = Field(
        default=32, ge=1, le=4096, description="Connections to Redis at most"
    )
    photo_redis_url: SecretStr | None = Field(
        default=None,
        description="A Redis of their own for photos; unset: connections of their own to the same",
    )
    photo_redis_timeout_ms: float = Field(
        default=1000.0,
        gt=0,
        le=60_000,
        description="Longest wait for one Redis command about photos, in ms",
    )
    photo_redis_connections: int = Field(
        default=8, ge=1, le=4096, description="Connections to Redis for photos at most"
    )
    breaker_failures: int = Field(
        default=5, ge=1, description="Redis failures in a row that open the circuit breaker"
    )
    breaker_seconds: float = Field(
        default=2.0,
        gt=0,
        description="Time the breaker stays open before one request may try again",
    )
    store_path: Path | None = Field(
        default=None, description="SQLite file for one machine that must not forget; unset: memory"
    )
    store_limit_bytes: int = Field(
        default=4 * 2**30,
        ge=2**20,
        description="Size of the SQLite file; when it is full, the oldest streams make room",
    )
    photo_store_limit_bytes: int = Field(
        default=16 * 2**30,
        ge=2**20,
        description="Size of the SQLite file of photos, beside the other; the oldest make room",
    )
    memory_bytes: int = Field(
        default=64 * 2**20,
        ge=2**16,
        description="Size of the in-process cache, overhead counted, in bytes",
    )
    photo_memory_bytes: int = Field(
        default=256 * 2**20,
        ge=2**16,
        description="Size of the in-process cache of photos, in bytes",
    )
    ttl_seconds: int = Field(
        default=30 * 86400,
        ge=1,
        description="How long a stream is kept after its upload (Redis, SQLite)",
    )

    # who may do what
    id_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the ids (HMAC-SHA256); empty: anyone can compute an id",
    )
    sign_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the signatures that raster URLs then need; empty: they need none",
    )
    upload_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Tokens that may upload and encode, comma separated; empty: everyone may",
    )
    delete_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="Tokens that may delete, comma separated; empty: nobody may"
    )
    cors_origins: Words = Field(
        default=("*",),
        description="Origins that may read from a page, comma separated; * for all, none for none",
    )

    # the pages
    demo: bool = Field(
        default=False, description="Whether the gallery compares formats (/demo/compare)"
    )

    # one client among many
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...] | None, NoDecode] = Field(
        default=None,
        description="Addresses or networks of proxies, comma separated, whose X-Forwarded-For says"
        " who the client is; none: every address is a client; unset: private addresses are taken"
        " for proxies and not bounded, since all clients may come from one",
    )
    client_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Part of connections, uploads and public bodies that one client may have at"
        " once; more: 429; 1: all",
    )
    rate_limit: float = Field(
        default=0.0,
        ge=0,
        le=1_000_000,
        description="Requests a second of one client, or with one token, in each process; more:"
        " 429; 0: any",
    )
    rate_burst: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Requests of one client that may come at once before PREFIXEL_RATE_LIMIT holds",
    )

    # connections
    connections_limit: int = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        description="Open connections; more: an idle one goes, or 503",
    )
    header_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Time in which a request's headers must arrive; else 408",
    )
    write_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Time a client may stop reading its answer; then it is cut",
    )
    keep_alive_seconds: float = Field(
        default=75.0, gt=0, le=3600, description="How long an idle connection stays open"
    )

    # the process
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of /metrics on its own; unset: on the main port",
    )
    drain_grace_seconds: float = Field(
        default=2.0,
        ge=0,
        description="After SIGTERM: time in which /readyz is 503 and work is still taken",
    )
    drain_seconds: float = Field(
        default=20.0, ge=0, description="After the grace: time for work in flight to finish"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least severity that is logged (JSON, one object a line, on stderr)",
    )

    @field_validator(
        "codecs",
        "default_codecs",
        "raster_sizes",
        "bytes_steps",
        "upload_tokens",
        "delete_tokens",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        """Comma separated in the environment, a sequence in code.

        What holds no word is a mistake, and often means the contrary: no token, so everyone.
        """
        if isinstance(value, str):
            words = tuple(word.strip() for word in value.split(",") if word.strip())
            if not words:
                raise ValueError(f"{value!r} names nothing; leave it unset, or name something")
            return words
        return value

    @field_validator("bytes_steps")
    @classmethod
    def _ascending(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if any(step < HEADER_BYTES for step in steps):
            raise ValueError(f"a step has {HEADER_BYTES} bytes or more")
        return tuple(sorted(set(steps)))

    @field_validator("redis_url", "photo_redis_url", mode="before")
    @classmethod
    def _redis(cls, value: object) -> object:
        """Refuse what is no URL of Redis, quoting it without what may be a password."""
        if isinstance(value, str) and value.partition("://")[0] not in REDIS_SCHEMES:
            _, at, host = value.rpartition("@")
            shown = f"...@{host}" if at else value
            schemes = ", ".join(f"{scheme}://" for scheme in REDIS_SCHEMES)
            raise ValueError(f"{shown!r} is no Redis URL; one begins with {schemes}")
        return value

    @field_validator("trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _nobody(cls, value: object) -> object:
        """Comma separated in the environment; ``none`` names nobody."""
        return () if value == "none" else cls._split(value)

    @field_validator("max_batch", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        """The environment holds text; a Literal of numbers takes none."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    def artifacts(self) -> Path:
        """Folder the artifacts are read from. Raises ConfigurationError when there is none."""
        return self.artifacts_path or packaged_artifacts()


def read_settings() -> Settings:
    """The settings of the environment. Raises ConfigurationError with one line that names all."""
    try:
        return Settings()
    except ValidationError as wrong:
        raise ConfigurationError(
            "; ".join(
                f"{PREFIX}{'.'.join(map(str, error['loc'])).upper()}:"
                f" {error['msg'].removeprefix('Value error, ')}"
                for error in wrong.errors()
            )
        ) from wrong


def unknown_variables(environment: Iterable[str]) -> dict[str, str]:
    """Variables that begin as a setting does and are none; to each the setting it may have meant.

    That is empty where none is near.
    """
    known = [name.upper() for name in Settings.model_fields]
    found: dict[str, str] = {}
    for variable in environment:
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper().startswith(PREFIX) and name not in known:
            found[variable] = "".join(f"{PREFIX}{one}" for one in get_close_matches(name, known, 1))
    return found
