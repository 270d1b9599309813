/** Made by `python -m models.export.browser`: tables and weights of each version. */
export const NEWEST = 2;
export const VERSIONS = {
  1: {
    tables: async () => (await import("./tables-1-a4fd93d2.js")).default,
  },
  2: {
    tables: async () => ({ ...(await import("./tables-1-a4fd93d2.js")).default, version: 2 }),
    networkTables: async () => (await import("./tables-2-91528f31.js")).default,
    weights: async () => (await import("./weights-2-1fca6a42.js")).default,
  },
};
