/** Made by `python -m models.export.browser`: the tables of each version of photo. */
export const NEWEST = 2;
export const VERSIONS = {
  1: async () => (await import("./tables-1-aa336040.js")).default,
  2: async () => ({ ...(await import("./tables-1-aa336040.js")).default, version: 2 }),
};
