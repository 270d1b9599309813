"""Photos and thumbnails in stores of their own, so that neither can push the other out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence, Set
from typing import Any

from service.cache.store import Found, Key, Part, Store

DOCUMENT = ""


class StoreByKind:
    """Two stores as one. An image's document lies in both where the image has streams in both, so
    that it lives as long as the last of them.
    """

    def __init__(self, thumbs: Store, photos: Store, photo_codecs: Set[str]) -> None:
        """``photo_codecs`` are the names of the codecs whose streams lie in ``photos``."""
        self.name = thumbs.name
        self._thumbs = thumbs
        self._photos = photos
        self._photo_codecs = photo_codecs

    async def put(self, key: Key, stream: bytes, meta: bytes) -> bool:
        """Keep it in the store of its kind."""
        return await self._of(key).put(key, stream, meta)

    async def note(self, key: Key, meta: bytes) -> None:
        """In the store of its kind; the document in both, where photos are."""
        await self._of(key).note(key, meta)
        if key.codec == DOCUMENT:
            photos = [Key(key.image_id, codec) for codec in sorted(self._photo_codecs)]
            if any(isinstance(part, Part) for part in await self._photos.many(photos, 0)):
                await self._photos.note(key, meta)

    async def drop(self, key: Key, digest: bytes) -> None:
        """From the store of its kind."""
        await self._of(key).drop(key, digest)

    def report(self, cause: str) -> None:
        """Both tell the same listeners."""
        self._thumbs.report(cause)

    def read(
        self, key: Key, start: int = 0, stop: int | None = None
    ) -> Coroutine[Any, Any, Part | None]:
        """From the store of its kind."""
        return self._of(key).read(key, start, stop)

    async def meta(self, key: Key) -> bytes | None:
        """From the store of its kind; the document from either."""
        found = await self._of(key).meta(key)
        if found is None and key.codec == DOCUMENT:
            return await self._photos.meta(key)
        return found

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        """From the store of each key's kind."""
        stores = [self._of(key) for key in keys]
        if all(store is stores[0] for store in stores):
            return await stores[0].many(keys, n) if keys else []
        found: dict[Key, Found] = {}
        for store in (self._thumbs, self._photos):
            mine = [key for key, its in zip(keys, stores, strict=True) if its is store]
            found.update(zip(mine, await store.many(mine, n), strict=True))
        return [found[key] for key in keys]

    async def delete(self, image_id: str) -> bool:
        """From both; both are tried, whatever becomes of one."""
        deleted = await asyncio.gather(
            self._thumbs.delete(image_id), self._photos.delete(image_id), return_exceptions=True
        )
        for one in deleted:
            if isinstance(one, BaseException):
                raise one
        return any(deleted)

    async def health(self) -> bool:
        """Whether both answer."""
        return all(await asyncio.gather(self._thumbs.health(), self._photos.health()))

    async def close(self) -> None:
        """Close both."""
        await asyncio.gather(self._thumbs.close(), self._photos.close())

    def _of(self, key: Key) -> Store:
        return self._photos if key.codec in self._photo_codecs else self._thumbs
