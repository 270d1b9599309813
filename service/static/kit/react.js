"use client";
/** <Thumbnail src bytes image alt stream /> for React: the element's attributes as properties. */

import {
  createElement,
  forwardRef,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
} from "react";

import "./element.js";
import { readHeader } from "./index.js";

/** Before the browser paints, and so before the element tells anything; a server has no layout. */
const useFirstEffect = globalThis.document ? useLayoutEffect : useEffect;

export const Thumbnail = forwardRef(function Thumbnail(properties, ref) {
  const { stream, className, style, onPaint, onLoad, onError, ...others } = properties;
  const { srcSet, fetchPriority, crossOrigin, ...attributes } = others;
  const element = useRef(null);
  useImperativeHandle(ref, () => element.current, []);
  useListener(element, "paint", onPaint);
  useListener(element, "load", onLoad);
  useListener(element, "error", onError);
  return createElement("prefixel-img", {
    ...attributes,
    ref: element,
    class: className,
    srcset: srcSet,
    fetchpriority: fetchPriority,
    crossorigin: crossOrigin,
    style: { display: "block", ...boxOf(properties), ...style },
    "data-stream": stream,
  });
});

/** The element's events do not bubble, which is how React would hear of them. */
function useListener(element, kind, listener) {
  const latest = useRef(listener);
  useFirstEffect(() => {
    latest.current = listener;
  });
  useFirstEffect(() => {
    const { current } = element;
    const listen = (event) => latest.current?.(event);
    if (current.told?.[kind]) listen(current.told[kind]); // before React was here
    current.addEventListener(kind, listen);
    return () => current.removeEventListener(kind, listen);
  }, [element, kind]);
}

/**
 * The box before a script runs, as the element will make it: of the attributes, or of the stream's
 * header. A class may say another width, which a style here would outdo.
 */
function boxOf({ width, height, className, stream }) {
  if (!width || !height) return { aspectRatio: shapeOf(stream) };
  const aspectRatio = `${width} / ${height}`;
  return className ? { aspectRatio } : { aspectRatio, width: Number(width), maxWidth: "100%" };
}

function shapeOf(stream) {
  if (!stream) return undefined;
  try {
    const head = atob(stream.slice(0, 4).replaceAll("-", "+").replaceAll("_", "/"));
    return readHeader(Uint8Array.from(head, (letter) => letter.charCodeAt(0))).aspect.toFixed(4);
  } catch {
    return undefined; // the element tells
  }
}
