import type { HTMLAttributes, ReactElement } from "react";

export interface ThumbnailProperties extends HTMLAttributes<HTMLElement> {
  src?: string;
  bytes?: number;
  image?: string;
  alt: string;
  /** A prefix in base64. */
  stream?: string;
}

export function Thumbnail(properties: ThumbnailProperties): ReactElement;
