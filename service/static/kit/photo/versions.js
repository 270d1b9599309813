/** Made by `python -m models.export.browser`: the tables of each version of photo. */
export const NEWEST = 1;
export const VERSIONS = {
  1: async () => (await import("./tables-1-aa336040.js")).default,
};
