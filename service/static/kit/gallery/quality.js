/** Block SSIM and PSNR of 32 x 32 pictures, as the service measures them (evaluation/metrics.py). */

const BLOCK = 8;
const SIDE = 32;
const PEAK = 255;
const C1 = (0.01 * PEAK) ** 2;
const C2 = (0.03 * PEAK) ** 2;
const CEILING_DB = 100;

/** Mean over 8x8 blocks and channels; RGBA each, alpha does not count. */
export function blockSsim(a, b) {
  let total = 0;
  for (let channel = 0; channel < 3; channel += 1) {
    for (let top = 0; top < SIDE; top += BLOCK) {
      for (let left = 0; left < SIDE; left += BLOCK) total += ofBlock(a, b, channel, top, left);
    }
  }
  return total / (3 * (SIDE / BLOCK) ** 2);
}

function ofBlock(a, b, channel, top, left) {
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let row = top; row < top + BLOCK; row += 1) {
    for (let column = left; column < left + BLOCK; column += 1) {
      const at = 4 * (row * SIDE + column) + channel;
      x += a[at];
      y += b[at];
      xx += a[at] * a[at];
      yy += b[at] * b[at];
      xy += a[at] * b[at];
    }
  }
  const n = BLOCK * BLOCK;
  const [mx, my] = [x / n, y / n];
  const [vx, vy, cov] = [xx / n - mx * mx, yy / n - my * my, xy / n - mx * my];
  const light = (2 * mx * my + C1) / (mx * mx + my * my + C1);
  return (light * (2 * cov + C2)) / (vx + vy + C2);
}

/** In dB over RGB; equal pictures have 100. */
export function psnr(a, b) {
  let squared = 0;
  for (let at = 0; at < a.length; at += 1) {
    if (at % 4 < 3) squared += (a[at] - b[at]) ** 2;
  }
  if (squared === 0) return CEILING_DB;
  return 10 * Math.log10((3 * SIDE * SIDE * PEAK * PEAK) / squared);
}
