/** Where the tables of streams are: fetched while the code that asks for them comes. */

import { UnpaintableError } from "../core/header.js";
import { NEWEST, VERSIONS } from "./versions.js";

// the one script, which has no import.meta, holds the tables of closed forms alone; webpack would
// put a folder of its builder in the place of a URL
const isModule = Boolean(import.meta.webpack || import.meta.url);

/** The streams that are made now. */
export const USUAL = {
  version: NEWEST,
  hasNetworks: isModule && "networkTables" in VERSIONS[NEWEST],
};

/** The tables of a header's version. Rejects with UnpaintableError. */
export async function tablesOf({ version, hasNetworks }) {
  const load = VERSIONS[version]?.[hasNetworks ? "networkTables" : "tables"];
  if (!load) throw new UnpaintableError(`no decoder here for version ${version} of photo`);
  return load();
}
