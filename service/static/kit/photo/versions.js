/** Made by `python -m models.export.browser`: the tables of each version of photo. */
export const VERSIONS = {
  1: async () => (await import("./tables-1-af1c3965.js")).default,
};
