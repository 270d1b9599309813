/**
 * Where a picture lies in its box, as `object-fit` and `object-position` say it of an <img>.
 *
 * A canvas of 32x32 has another shape than the photo that it shows, so that the properties do not
 * do for it by themselves. Lengths are of the box (cqw, cqh): it may change its size alone.
 */

/**
 * The style of a picture of `aspect` (width / height). `position` is as getComputedStyle has it;
 * `natural`: its width in CSS pixels; 0 where that is not known, `none` is then as `contain`.
 */
export function placement(fit, position, aspect, natural) {
  const width = widthOf(fit, aspect, natural);
  const height = fit === "fill" ? "100cqh" : `calc(${width} / ${aspect})`;
  const [x, y] = inTwo(position);
  return (
    `width: ${width}; height: ${height}; left: ${x}; top: ${y};` +
    ` translate: ${-percentOf(x)}% ${-percentOf(y)}%`
  );
}

function widthOf(fit, aspect, natural) {
  const contained = `min(100cqw, 100cqh * ${aspect})`;
  if (fit === "fill") return "100cqw";
  if (fit === "cover") return `max(100cqw, 100cqh * ${aspect})`;
  if (!natural || fit === "contain") return contained;
  return fit === "none" ? `${natural}px` : `min(${natural}px, ${contained})`;
}

/** The two lengths of a position; each may be a calc() with spaces in it. */
function inTwo(position) {
  let depth = 0;
  for (let at = 0; at < position.length; at += 1) {
    if (position[at] === "(") depth += 1;
    else if (position[at] === ")") depth -= 1;
    else if (position[at] === " " && depth === 0) return [position.slice(0, at), position.slice(at + 1)];
  }
  return [position, "50%"];
}

/** The share of the room left over that a length has: the percentage in it. */
function percentOf(length) {
  return Number(/(-?[\d.]+)%/.exec(length)?.[1] ?? 0);
}
