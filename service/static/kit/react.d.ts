import type {
  DetailedHTMLProps,
  ForwardRefExoticComponent,
  HTMLAttributes,
  RefAttributes,
} from "react";

import type { PaintDetail, PrefixelImage } from "./element.js";

/** What the element takes besides what every element takes. */
export interface PrefixelAttributes {
  /** URL of the whole stream, best with its `?v=`. */
  src?: string;
  /** How many bytes are fetched by themselves; all where it says nothing. */
  bytes?: number | string;
  /** Of photos: the same in bits a pixel; `data-saver` where a reader wants to save data. */
  bpp?: number | string;
  /** URL of the full picture, which fades in over the thumbnail. */
  image?: string;
  alt?: string;
  /** Of the box, unless a style says another, and of the photo: it has its shape from the start. */
  width?: number | string;
  height?: number | string;
  /** "lazy": nothing is fetched before the element is seen. */
  loading?: "eager" | "lazy";
  srcSet?: string;
  sizes?: string;
  decoding?: "async" | "sync" | "auto";
  fetchPriority?: "high" | "low" | "auto";
  crossOrigin?: "" | "anonymous" | "use-credentials";
}

export interface ThumbnailProperties
  extends PrefixelAttributes,
    Omit<HTMLAttributes<HTMLElement>, "onLoad" | "onError"> {
  alt: string;
  /** A prefix in base64. */
  stream?: string;
  /** A prefix is on the screen. */
  onPaint?: (event: CustomEvent<PaintDetail>) => void;
  /** The full picture is on the screen. */
  onLoad?: (event: Event) => void;
  onError?: (event: ErrorEvent) => void;
}

export const Thumbnail: ForwardRefExoticComponent<
  ThumbnailProperties & RefAttributes<PrefixelImage>
>;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "prefixel-img": DetailedHTMLProps<HTMLAttributes<PrefixelImage>, PrefixelImage> &
        Omit<PrefixelAttributes, "srcSet" | "fetchPriority" | "crossOrigin"> & {
          class?: string;
          "data-stream"?: string;
          "data-saver"?: number | string;
          srcset?: string;
          fetchpriority?: PrefixelAttributes["fetchPriority"];
          crossorigin?: PrefixelAttributes["crossOrigin"];
        };
    }
  }
}
