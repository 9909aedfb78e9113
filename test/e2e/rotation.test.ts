import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { splitCertificates } from "../../certs/inspect.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { startLoad } from "./load.ts";
import { readMetric } from "./metrics.ts";
import { installProduct, TLS_SECRET } from "./product.ts";
import type { Product } from "./product.ts";

const { binaries, skip } = await availableBinaries("demo");

/** `ROTATIONS=100` for a longer drill: each takes a good second. */
const ROTATIONS = Number(process.env["ROTATIONS"] ?? 25);
/** A rotation takes a good second, and five of them where many others work on the same machine. */
const LONGEST_MS = 800_000;

describe("certificates that rotate", { skip, timeout: LONGEST_MS + 100_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    api = await createApi(cluster);
    const replica = { flags: ["--rotate-every", "1s"] };
    product = await installProduct(cluster, { replica });
    await (await product.startReplica(replica)).ready();
  });

  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  async function trusted(): Promise<string[]> {
    const { data = {} } = await api.read(TLS_SECRET);
    return splitCertificates(atob(data["ca.crt"] ?? ""));
  }

  test(`${ROTATIONS} rotations of CA and certificate under load: no request fails or is left unmutated`, async (t) => {
    const signers = new Set<string>();
    const begun = performance.now();
    const load = startLoad(api, { senders: 4 });
    try {
      await eventually(
        "rotated",
        async () => {
          signers.add((await trusted())[0] ?? "");
          assert.ok(signers.size > ROTATIONS, `${signers.size} CAs so far`);
        },
        LONGEST_MS,
      );
    } finally {
      await load.stop();
    }
    const { sent, failed, unmutated, longestMs } = load.result();
    const seconds = Math.round((performance.now() - begun) / 1000);
    t.diagnostic(
      `${signers.size - 1} rotations in ${seconds} s, ${sent} requests, the longest ${Math.round(longestMs)} ms`,
    );
    assert.deepEqual(failed, []);
    assert.equal(unmutated, 0);
    assert.equal(await readMetric(product.running(), "snapshot_retainer_ca_forced_rotations"), 0);
  });
});
