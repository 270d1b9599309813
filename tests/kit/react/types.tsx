/** `tsc --strict` takes this file: what is wrong is marked, and only that. */

import { createRef } from "react";

import { type Picture, decode, setWorker } from "prefixel";
import { PrefixelImage, fillGallery } from "prefixel/element";
import { Thumbnail } from "prefixel/react";

const ref = createRef<PrefixelImage>();

export const component = (
  <Thumbnail
    ref={ref}
    src="/v1/images/ID/thumb.pxl"
    bytes={64}
    image="/photo.jpg"
    alt="A photo"
    className="thumbnail"
    loading="lazy"
    srcSet="/photo.jpg 640w"
    fetchPriority="high"
    onPaint={({ detail: { bytes, isFinal } }) => `${bytes + 1}${isFinal}`}
    onLoad={({ type }) => type.length}
    onError={({ message }) => message.length}
  />
);

// @ts-expect-error a picture needs its alternative text
export const nameless = <Thumbnail src="/v1/images/ID/thumb.pxl" />;

// @ts-expect-error a stream is text
export const stream = <Thumbnail stream={new Uint8Array(2)} alt="" />;

export const element = (
  <prefixel-img ref={ref} src="/v1/images/ID/thumb.pxl" bytes="64" alt="" class="a" srcset="" />
);

// @ts-expect-error no such attribute
export const unknown = <prefixel-img bits="64" />;

export async function used(): Promise<Picture> {
  setWorker(() => new Worker("/worker.js"));
  const found: PrefixelImage | null = document.querySelector("prefixel-img");
  found?.addEventListener("paint", ({ detail }) => detail.bytes.toFixed());
  // @ts-expect-error `load` has no detail
  found?.addEventListener("load", ({ detail }) => detail);
  const bytes: number | undefined = await ref.current?.refine(256);
  await fillGallery(found ? [found] : [], { bytes: bytes ?? 64 });
  return decode(new Uint8Array(2));
}
