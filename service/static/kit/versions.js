/** Made by `python -m models.export.browser`: tables and weights of each version. */
import newest from "./tables-0-2e4a181e.js";

export const NEWEST = 0;
export const VERSIONS = {
  0: { tables: () => newest, weights: "weights-0-a4aabad5.bin" },
};
