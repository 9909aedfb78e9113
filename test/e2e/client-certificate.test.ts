import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { aClientAuthority } from "../certs/client-certificate.ts";
import type { ClientAuthority } from "../certs/client-certificate.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { aBackup } from "./objects.ts";
import { installProduct } from "./product.ts";
import type { Product } from "./product.ts";
import { aReview, rawPost, responseOf } from "./raw-post.ts";
import { VELERO } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const NAME = "kube-apiserver-webhooks";
const PLUGINS = ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"];

/** As docs/security.md tells to set it up. */
describe("an API server that shows a client certificate", { skip }, () => {
  let directory: string;
  let authority: ClientAuthority;
  let cluster: Cluster;
  let product: Product;
  let api: Api;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "client-certificate-"));
    authority = await aClientAuthority();
    const configuration = await configureApiServer();
    cluster = await startCluster({
      ...(binaries && { binaries }),
      apiServerFlags: [`--admission-control-config-file=${configuration}`],
    });
    const ca = join(directory, "ca.crt");
    await writeFile(ca, authority.cert);
    const flags = ["--client-ca", ca, "--client-name", NAME, "--tls-min-version", "TLSv1.3"];
    // Returns when the API server has been answered.
    product = await installProduct(cluster, { replica: { flags } });
    api = await createApi(cluster);
  });

  after(async () => {
    await product.stop();
    await cluster.stop();
    await rm(directory, { recursive: true });
  });

  async function configureApiServer(): Promise<string> {
    const { cert, key } = await authority.issue(NAME);
    const kubeConfigFile = join(directory, "webhooks.kubeconfig");
    const user = { "client-certificate-data": btoa(cert), "client-key-data": btoa(key) };
    // Under this name it is shown to every webhook.
    const kubeconfig = { apiVersion: "v1", kind: "Config", users: [{ name: "*", user }] };
    await writeFile(kubeConfigFile, JSON.stringify(kubeconfig));
    const group = "apiserver.config.k8s.io/v1";
    const file = join(directory, "admission.json");
    const plugins = PLUGINS.map((name) => ({
      name,
      configuration: { apiVersion: group, kind: "WebhookAdmissionConfiguration", kubeConfigFile },
    }));
    await writeFile(file, JSON.stringify({ apiVersion: group, kind: "AdmissionConfiguration", plugins }));
    return file;
  }

  async function ask(certificate: object): Promise<unknown> {
    const [replica] = product.replicas;
    const agent = new Agent({ ca: await product.authority(), ...certificate });
    const answer = await rawPost(`${replica?.url ?? ""}/mutate`, aReview(aBackup()), {
      ca: await product.authority(),
      agent,
    });
    return responseOf(answer).patchType;
  }

  test("has its Backups marked, and its bad policies refused", async () => {
    const { object } = await api.create(aBackup(), { as: VELERO });
    assert.equal(object.metadata.annotations[LIMIT], "3");
    await assert.rejects(product.applyPolicy({ snapshotsToRetain: "many" }), /snapshotsToRetain/);
  });

  test("is the only one that is answered", async () => {
    const [stranger, other] = await Promise.all([
      aClientAuthority().then(async (theirs) => theirs.issue(NAME)),
      authority.issue("kubelet"),
    ]);
    assert.equal(await ask(await authority.issue(NAME)), "JSONPatch");
    await assert.rejects(ask({}));
    await assert.rejects(ask(stranger));
    await assert.rejects(ask(other));
    const name = "snapshot_retainer_connections_refused_total";
    await eventually("the three are counted", async () => {
      assert.equal(await readMetric(product.replicas, name, { reason: "handshake" }), 2);
      assert.equal(await readMetric(product.replicas, name, { reason: "client" }), 1);
    });
  });
});

describe("an API server that shows none", { skip }, () => {
  test("is not answered, and its requests pass unchanged", async () => {
    const directory = await mkdtemp(join(tmpdir(), "client-certificate-"));
    const cluster = await startCluster({ ...(binaries && { binaries }) });
    const product = await installProduct(cluster);
    try {
      const ca = join(directory, "ca.crt");
      await writeFile(ca, (await aClientAuthority()).cert);
      const [open] = product.replicas;
      const checking = await product.startReplica({ flags: ["--client-ca", ca] });
      await checking.ready();
      await open?.stop();
      const { object } = await (await createApi(cluster)).create(aBackup(), { as: VELERO });
      assert.equal(object.metadata.annotations[LIMIT], undefined);
      await eventually("it is counted", async () => {
        const name = "snapshot_retainer_connections_refused_total";
        assert.ok((await readMetric([checking], name, { reason: "handshake" })) > 0);
      });
    } finally {
      await product.stop();
      await cluster.stop();
      await rm(directory, { recursive: true });
    }
  });
});
