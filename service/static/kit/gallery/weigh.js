/** The whole page beside the same page in other formats, each picture as good as ours is now. */

import { StreamError, decodeMany } from "../index.js";
import { compared } from "./compare.js";
import { blockSsim } from "./quality.js";

const FILES = ["webp", "avif", "jpeg"];

/**
 * Of photos whose files are here, by format: bytes of files that reach our SSIM, and how many
 * photos have no such file among those that were made. `tell` hears how many photos are done.
 */
export async function weigh(photos, tell) {
  const pictures = await decodeMany(photos.map(({ element }) => element.stream));
  const rows = new Map(FILES.map((name) => [name, { title: name, bytes: 0, missing: 0 }]));
  let ours = 0;
  for (const [n, photo] of photos.entries()) {
    tell(n);
    if (pictures[n] instanceof StreamError) throw pictures[n];
    const { reference, formats } = await compared(photo);
    const ssim = blockSsim(reference, pictures[n].rgba);
    ours += pictures[n].bytes.length;
    for (const { name, title, candidates } of formats) {
      if (!rows.has(name)) continue;
      const row = rows.get(name);
      row.title = title;
      const files = candidates.filter((one) => one.ssim >= ssim).map((one) => one.file_bytes);
      if (files.length > 0) row.bytes += Math.min(...files);
      else row.missing += 1;
    }
  }
  return { ours, rows: [...rows.values()] };
}
