/** Made by `python -m models.export.browser`: tables and weights of each version. */
import newest from "./tables-1-6b6e6a6b.js";

export const NEWEST = 1;
export const VERSIONS = {
  1: {
    tables: () => newest,
    weights: async () => (await import("./weights-1-ca540ad4.js")).default,
  },
};
