/** Made by `python -m models.export.browser`: tables and weights of each version. */
import newest from "./tables-0-a78a3582.js";

export const NEWEST = 0;
export const VERSIONS = {
  0: { tables: () => newest, weights: null },
};
