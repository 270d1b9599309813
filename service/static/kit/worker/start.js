/** Workers of the kit: where their scripts are, in pages of whatever origin and bundler. */

/** As bundlers know them: they make a file of each, and put its URL here. */
const makers = {
  worker() {
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "prefixel" });
  },
  "photo-worker"() {
    return new Worker(new URL("./photo-worker.js", import.meta.url), {
      type: "module",
      name: "prefixel-photo",
    });
  },
};

/** Let the kit's worker be made by a function of the page: a Worker that runs prefixel/worker. */
export function setWorker(made) {
  makers.worker = made;
}

/** The same of the one that decodes photos: a Worker that runs prefixel/photo-worker. */
export function setPhotoWorker(made) {
  makers["photo-worker"] = made;
}

const expected = new Map();

/** Start a worker that will be asked for: its script is fetched before the code that asks. */
export function expectWorker(name) {
  // what the page's script says of workers, after it has imported the element, comes first
  if (!expected.has(name)) expected.set(name, Promise.resolve(name).then(start));
}

/** The worker once it runs; null where none can be: Node, or a policy that forbids it. */
export function startWorker(name) {
  const worker = expected.get(name) ?? start(name);
  expected.set(name, null); // the next one is another
  return worker;
}

async function start(name) {
  if (typeof Worker === "undefined" || typeof document === "undefined") return null;
  for (const make of [makers[name], () => makeFromElsewhere(name)]) {
    try {
      const worker = make();
      await new Promise((resolve, reject) => {
        worker.addEventListener("message", resolve, { once: true });
        worker.addEventListener("error", reject, { once: true });
      });
      return worker;
    } catch {
      // then the other way; without a worker this thread decodes, a slice at a time
    }
  }
  return null;
}

/** Where this module is; not in webpack's bundles, which would name a folder of their builder. */
const home = import.meta.webpack ? "about:blank" : import.meta.url;

/** A worker's script must be of the page's origin; what that script imports need not. */
function makeFromElsewhere(name) {
  const { href, origin } = new URL(`${name}.js`, home);
  if (origin === location.origin) throw new Error(`${href} is no worker`);
  const source = new Blob([`import ${JSON.stringify(href)};`], { type: "text/javascript" });
  const url = URL.createObjectURL(source);
  return new Worker(url, { type: "module", name: `prefixel-${name}` });
}
