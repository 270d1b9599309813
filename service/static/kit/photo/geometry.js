/**
 * Where everything of a photo stands: bands, blocks, and the passes in the order of the stream
 * (FORMAT.md, "Bands" and "Passes"). A function of its size and of the tables; integers alone.
 */

export const CHANNELS = 3;
const BLOCK = 8;
const BORDER = 2;
const SUPERBLOCK = 8;
const SHORTEST = 8;
const LONGEST = 16;
const RANKS = 10;
const LOWEST_RANK = -4;
const ORIENTS = 3;
const KIND_OF = [0, 1, 1, 2];
export const DEEPEST = 6;
const PLANES = 16;
export const TOP = 8;
export const OCTAVE = 64;

/** A picture's sides after 0 .. all of its splits: [{ width, height }]. */
export function sizesOf({ width, height }) {
  const sizes = [{ width, height }];
  for (;;) {
    const short = Math.min(width, height);
    if (short < SHORTEST && Math.max(width, height) < LONGEST * Math.max(short, 2)) return sizes;
    width = (width + 1) >> 1;
    height = (height + 1) >> 1;
    sizes.push({ width, height });
  }
}

/** Photos of a page have few sizes. */
const KEPT = 4;
const geometries = new WeakMap();

/**
 * The geometry of a size. `bands`: what `Band` of the kernel holds, in its order. `blocks`: top and
 * left of each band's blocks, in the order of their visits. `passes`: channel, band, plane, kind and
 * group of each. `coefficients`, `flagCount`: places of one channel.
 */
export function geometryOf({ width, height }, order, tables) {
  const kept = geometries.get(tables) ?? new Map();
  geometries.set(tables, kept);
  const name = `${width} ${height} ${order}`;
  const found = kept.get(name) ?? newGeometry({ width, height }, order, tables);
  kept.delete(name);
  kept.set(name, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return found;
}

function newGeometry(size, order, tables) {
  const sizes = sizesOf(size);
  const levels = sizes.length - 1;
  const bands = [];
  let offset = 0;
  let flagCount = 0;
  let first = 0;

  function add(level, orientation, rows, columns, parent) {
    const down = Math.ceil(rows / BLOCK);
    const across = Math.ceil(columns / BLOCK);
    const stride = columns + 2 * BORDER;
    const end = first + down * across;
    bands.push({
      level, orientation, offset, stride, rows, columns, parent, first, end,
      flagsAt: flagCount + 1, flagsStride: across + 2,
    });
    offset += stride * (rows + 2 * BORDER);
    flagCount += 1 + (down + 2) * (across + 2);
    first = end;
  }

  add(levels, 0, sizes[levels].height, sizes[levels].width, -1);
  for (let level = levels; level > 0; level -= 1) {
    const { width, height } = sizes[level - 1];
    const low = sizes[level];
    const above = bands.length - 3;
    const parentOf = (orientation) => (level === levels ? 0 : above + orientation - 1);
    add(level, 1, low.height, width - low.width, parentOf(1));
    add(level, 2, height - low.height, low.width, parentOf(2));
    add(level, 3, height - low.height, width - low.width, parentOf(3));
  }
  const blocks = new Int32Array(2 * first);
  for (const band of bands) visit(band, blocks);
  const passes = once(tables, `${levels} ${order}`, () => passesOf(bands, order, tables));
  return { sizes, bands, blocks, passes, coefficients: offset, flagCount };
}

/** Top and left of a band's blocks: groups of 8x8 dispersed, those of a group row by row. */
function visit({ rows, columns, first }, blocks) {
  const down = Math.ceil(rows / BLOCK);
  const across = Math.ceil(columns / BLOCK);
  const groups = [];
  for (let y = 0; y < down; y += SUPERBLOCK) {
    for (let x = 0; x < across; x += SUPERBLOCK) {
      groups.push({ y, x, code: dispersed(y / SUPERBLOCK, x / SUPERBLOCK) });
    }
  }
  groups.sort((a, b) => a.code - b.code);
  let at = 2 * first;
  for (const { y, x } of groups) {
    const bottom = Math.min(y + SUPERBLOCK, down);
    const right = Math.min(x + SUPERBLOCK, across);
    for (let row = y; row < bottom; row += 1) {
      for (let column = x; column < right; column += 1, at += 2) {
        blocks[at] = row * BLOCK;
        blocks[at + 1] = column * BLOCK;
      }
    }
  }
}

/** Neighbours differ in their lowest bit: it decides most. */
function dispersed(y, x) {
  let code = 0;
  for (let bit = 0; bit < 16; bit += 1) {
    const odd = (y >> bit) & 1;
    const differs = odd ^ ((x >> bit) & 1) ^ (bit === 0 ? 1 : 0);
    code = 4 * code + 2 * differs + odd;
  }
  return code;
}

const made = new WeakMap();

/** What tables make of a name; photos of as many levels have the same passes. */
export function once(tables, name, make) {
  const named = made.get(tables) ?? new Map();
  made.set(tables, named);
  if (!named.has(name)) named.set(name, make());
  return named.get(name);
}

/** All passes, most useful first; a band's own from its first plane down. */
function passesOf(bands, order, tables) {
  const keyed = [];
  bands.forEach(({ level, orientation }, band) => {
    const deeper = orientation === 0 ? level - DEEPEST : Math.max(0, level - DEEPEST);
    const known = orientation === 0 ? DEEPEST : Math.min(level, DEEPEST);
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const slopes = (((order * CHANNELS + channel) * 4 + orientation) * DEEPEST + known - 1) * PLANES;
      let last = 2 ** 20;
      for (let plane = TOP + level; plane >= 0; plane -= 1) {
        const at = Math.min(Math.max(plane - deeper, 0), PLANES - 1);
        const beyond = 2 * OCTAVE * (plane - at);
        const group = groupOf(channel, level, orientation, plane, tables.usual);
        for (let kind = 0; kind < 2; kind += 1) {
          last = Math.min(last - 1, tables.slopes[2 * (slopes + at) + kind] + beyond);
          keyed.push({ key: last, pass: [channel, band, plane, kind, group] });
        }
      }
    }
  });
  keyed.sort((a, b) => b.key - a.key); // stable: equal keys stay in their order
  return Int32Array.from(keyed.flatMap(({ pass }) => pass));
}

/** Which tables a plane of a band uses. */
export function groupOf(channel, level, orientation, plane, usual) {
  const kind = KIND_OF[orientation];
  const known = Math.min(Math.max(level, 1), DEEPEST) - 1;
  const size = usual[(channel * ORIENTS + kind) * DEEPEST + known] + Math.max(level - DEEPEST, 0);
  const rank = Math.min(Math.max(plane - size - LOWEST_RANK, 0), RANKS - 1);
  return (channel * ORIENTS + kind) * RANKS + rank;
}
