/** Block SSIM of two pictures, as the service measures it (service/quality/ssim.py). */

const BLOCK = 8;
const PEAK = 255;
const C1 = (0.01 * PEAK) ** 2;
const C2 = (0.03 * PEAK) ** 2;

/** Mean over whole 8x8 blocks and channels of RGBA each; alpha does not count. */
export function blockSsim(a, b, width, height) {
  let [total, count] = [0, 0];
  for (let channel = 0; channel < 3; channel += 1) {
    for (let top = 0; top + BLOCK <= height; top += BLOCK) {
      for (let left = 0; left + BLOCK <= width; left += BLOCK, count += 1) {
        total += ofBlock(a, b, 4 * (top * width + left) + channel, 4 * width);
      }
    }
  }
  return total / count;
}

function ofBlock(a, b, start, stride) {
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let row = 0; row < BLOCK; row += 1) {
    for (let column = 0; column < BLOCK; column += 1) {
      const at = start + row * stride + 4 * column;
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
