import { parseArgs } from "node:util";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

/** node bundle.ts ENTRY… --outdir=DIR: writes each entry with all that it uses of its dependencies (docs/decisions/0010-bundle.md). */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { outdir: { type: "string" } },
});

/** What CommonJS packages ask for, in a module. */
const REQUIRE =
  "import { createRequire as topCreateRequire } from 'node:module'; const require = topCreateRequire(import.meta.url);";

/**
 * client-node's own calls and watches, which we do not use, go through undici: 1.4 MB that its kubeconfig would load for
 * nothing. Our calls go through node:https.
 */
const leaveOutUndici: Plugin = {
  name: "leave out undici",
  setup(bundle) {
    bundle.onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: "left-out" }));
    bundle.onLoad({ filter: /./, namespace: "left-out" }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * client-node does not say that loading its files does nothing, so that all classes of Kubernetes would stay for the sake of
 * their static fields. We use its kubeconfig alone.
 */
const leaveOutUnused: Plugin = {
  name: "leave out unused classes of client-node",
  setup(bundle) {
    bundle.onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      const isClientNode = path === CLIENT_NODE || from.importer.includes(`/${CLIENT_NODE}/`);
      if (pluginData === SEEN || !isClientNode) return undefined;
      const found = await bundle.resolve(path, { ...from, pluginData: SEEN });
      return { ...found, sideEffects: false };
    });
  },
};
const CLIENT_NODE = "@kubernetes/client-node";
const SEEN = Symbol("resolved by esbuild itself");

await build({
  entryPoints: positionals,
  outdir: values.outdir ?? "dist",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node24",
  sourcemap: true,
  logLevel: "warning",
  logOverride: { "require-resolve-not-external": "silent" },
  banner: { js: REQUIRE },
  plugins: [leaveOutUndici, leaveOutUnused],
});
