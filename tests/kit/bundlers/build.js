/**
 * `node build.js BUNDLER`, beside main.js, index.html and node_modules: a page in dist/BUNDLER.
 *
 * Each is configured as its first page of documentation says, and no further, but for esbuild and
 * Rollup: they make no file of a worker, so that each is an entry of its own ("esbuild-alone": none).
 */

import { cp, mkdir } from "node:fs/promises";
import { resolve } from "node:path";

const name = process.argv[2];
const out = resolve("dist", name);

const WORKERS = { worker: "prefixel/worker", "photo-worker": "prefixel/photo-worker" };

const BUNDLERS = {
  async vite() {
    const { build } = await import("vite");
    await build({ base: "./", configFile: false, logLevel: "warn", build: { outDir: out } });
  },

  async webpack() {
    const { default: webpack } = await import("webpack");
    const options = {
      mode: "production",
      entry: "./main.js",
      output: { path: out },
      performance: { hints: false },
    };
    const stats = await new Promise((resolved, reject) => {
      webpack(options, (error, found) => (error ? reject(error) : resolved(found)));
    });
    const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
    for (const { message } of [...errors, ...warnings]) throw new Error(message);
  },

  esbuild: () => esbuild({ main: "./main.js", ...WORKERS }),

  "esbuild-alone": () => esbuild({ main: "./main.js" }),

  async rollup() {
    const { rollup } = await import("rollup");
    const { nodeResolve } = await import("@rollup/plugin-node-resolve");
    const bundle = await rollup({
      input: { main: "./main.js", ...WORKERS },
      plugins: [nodeResolve()],
      onwarn: ({ message }) => {
        throw new Error(message);
      },
    });
    await bundle.write({ dir: out, format: "es" });
  },

  async parcel() {
    const { Parcel } = await import("@parcel/core");
    const bundler = new Parcel({
      entries: "index.html",
      defaultConfig: "@parcel/config-default",
      mode: "production",
      defaultTargetOptions: { distDir: out, publicUrl: "./", shouldOptimize: true },
      cacheDir: resolve("cache"),
    });
    await bundler.run();
  },
};

async function esbuild(entryPoints) {
  const { build } = await import("esbuild");
  await build({
    entryPoints,
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    outdir: out,
    logLevel: "warning",
  });
}

await mkdir(out, { recursive: true });
await BUNDLERS[name]();
if (!["vite", "parcel"].includes(name)) await cp("index.html", `${out}/index.html`);
