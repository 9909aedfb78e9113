import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import * as z from "zod";
import { issueServing } from "../../certs/issue.ts";
import { aCa, someKeys } from "../certs/pair.ts";
import { render } from "../chart/chart.ts";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { debianProgram } from "../cluster/debian.ts";
import { fires, parseScrape } from "./alert-evaluation.ts";
import type { Observed, Scrape } from "./alert-evaluation.ts";
import type { Api, Ref } from "./api.ts";
import { backUp, createVolume, somebodyLeads, startScene } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { aBackup, aName } from "./objects.ts";
import { beginBackup, endBackup } from "./play.ts";
import { ACCOUNT, CONTROLLER_ACCOUNT, NAMESPACE, TLS_SECRET } from "./product.ts";
import type { Product } from "./product.ts";
import { rawPost } from "./raw-post.ts";
import { aContent } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");
const promtool = await debianProgram("prometheus", "usr/bin/promtool");
const POLICY = {
  snapshotsToRetain: 2,
  waitForRoom: "1s",
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
};
const CONTROLLER = { flags: ["--canary-every", "1s"] };

const Groups = z.object({ spec: z.object({ groups: z.array(z.unknown()) }) });

/** A fault that an alert is about, and what its runbook says to do. */
interface Fault {
  readonly inject: () => Promise<void>;
  readonly mend: () => Promise<void>;
}

describe(
  "each runbook, followed with its fault",
  { skip: skip !== false ? skip : promtool.kind === "missing" ? promtool.reason : false, timeout: 900_000 },
  () => {
    let cluster: Cluster;
    let api: Api;
    let product: Product;
    let data: Volume;
    let directory = "";
    const contents: string[] = [];

    before(async () => {
      ({ cluster, api, product } = await startScene(binaries, POLICY));
      await (await product.startReplica()).ready();
      await (await product.startController(CONTROLLER)).ready();
      await somebodyLeads(product);
      directory = await mkdtemp(join(tmpdir(), "runbooks-"));
      const values = { metrics: { prometheusRule: { enabled: true } } };
      const objects = await render(binaries?.helm ?? "", { values });
      const groups = objects
        .filter(({ kind }) => kind === "PrometheusRule")
        .flatMap((object) => Groups.parse(object).spec.groups);
      await writeFile(join(directory, "rules.yaml"), stringify({ groups }));
      data = await createVolume(api, "data");
      for (const name of ["one", "two"]) {
        contents.push((await backUp(api, data, name)).upload.metadata.name);
      }
    });
    after(async () => {
      await rm(directory, { recursive: true, force: true });
      await product.stop();
      await cluster.stop();
    });

    async function scrape(): Promise<Scrape> {
      const running = [...product.running(), ...product.runningControllers()];
      const ours = running.map(async ({ probes, process: { pid = 0 } }) =>
        parseScrape(await metricsOf(probes), String(pid)),
      );
      const apiServer = (await cluster.kubectl(["get", "--raw", "/metrics"])).stdout;
      const failOpen = apiServer
        .split("\n")
        .filter((line) => line.startsWith("apiserver_admission_webhook_fail_open"));
      return new Map([...(await Promise.all(ours)).flat(), ...parseScrape(failOpen.join("\n"), "apiserver")]);
    }

    /** Two looks, with something to decide and to probe in between; counters count from when all was well. */
    async function observe(well?: Scrape): Promise<Observed> {
      const earlier = await scrape();
      await api.patch(data.claim, { metadata: { labels: { looked: aName("at") } } });
      await sleep(1_500);
      return { well: well ?? earlier, earlier, now: await scrape(), at: Date.now() / 1000 };
    }

    async function pin(value: string | null): Promise<void> {
      for (const name of contents) {
        await api.patch(aContent(name), { metadata: { labels: { "snapshot-retainer.io/pin": value } } });
      }
    }

    async function noReplica(): Promise<void> {
      for (const replica of product.running()) await replica.stop("SIGKILL");
      await api.create(aBackup(), { dryRun: true });
    }

    async function twoReplicas(): Promise<void> {
      while (product.running().length < 2) await (await product.startReplica()).ready();
    }

    /** Takes these verbs from a role of ours, and resolves when the API server knows. */
    async function withdraw({ role, account, verb, resource }: Right): Promise<void> {
      const { rules } = Rules.parse(await api.read(role));
      const [plural = ""] = resource.split("/");
      const kept = rules.map((rule) =>
        rule.resources.includes(plural.replace(/\..*/, "")) && !rule.resources.includes("configmaps")
          ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) }
          : rule,
      );
      await api.patch(role, { rules: kept.filter(({ verbs }) => verbs.length > 0) });
      await eventually("the right is gone", async () => {
        const asked = ["auth", "can-i", verb, resource, "--namespace", NAMESPACE, "--as", account];
        const { stdout } = await cluster.kubectl(asked, { allowFailure: true });
        assert.equal(stdout.trim(), "no");
      });
    }

    /** What the webhook finds in its Secret: a CA and a certificate that were issued so many days ago. */
    async function age({ ca, certificate }: { ca: number; certificate: number }): Promise<void> {
      const keys = await someKeys();
      const authority = { cert: aCa(keys.ca, daysAgo(ca)), key: keys.ca.privateKey };
      const cert = issueServing({
        keys: keys.serving,
        serial: randomBytes(16),
        now: daysAgo(certificate),
        names: ["127.0.0.1"],
        ca: authority,
      });
      const held = {
        "ca.crt": authority.cert,
        "ca.key": authority.key,
        "tls.crt": cert,
        "tls.key": keys.serving.privateKey,
      };
      await api.patch(TLS_SECRET, { stringData: { ...held, "next.key": "" } });
    }

    async function withdrawRights(): Promise<void> {
      await api.remove({ ...OF_CONTROLLER, kind: "ClusterRoleBinding" });
    }

    const faults: Record<string, Fault> = {
      SnapshotRetainerPolicyInvalid: {
        async inject() {
          await api.remove({ ...CONFIGURATION, kind: "ValidatingWebhookConfiguration" });
          // The API server goes on to ask for a moment.
          await eventually("nobody checks the policy", async () =>
            api.patch(POLICY_REF, { data: { "policy.yaml": "kind: Nonsense" } }),
          );
        },
        async mend() {
          await product.applyChart();
          await product.applyPolicy(POLICY);
        },
      },
      SnapshotRetainerGivesUp: {
        async inject() {
          const [replica] = product.running();
          await rawPost(`${replica?.url ?? ""}/mutate`, "no JSON", { ca: await product.authority() });
        },
        mend: async () => undefined,
      },
      SnapshotRetainerNoLeader: {
        inject: async () =>
          void (await Promise.all(product.runningControllers().map(async (one) => one.stop()))),
        async mend() {
          await (await product.startController(CONTROLLER)).ready();
          await somebodyLeads(product);
        },
      },
      SnapshotRetainerAbsent: { inject: noReplica, mend: twoReplicas },
      SnapshotRetainerBypassed: { inject: noReplica, mend: twoReplicas },
      SnapshotRetainerCanaryUnmutated: { inject: noReplica, mend: twoReplicas },
      SnapshotRetainerCertificateExpires: {
        async inject() {
          await withdraw(RENEW);
          await age({ ca: 20, certificate: 12 });
        },
        mend: async () => product.applyChart(),
      },
      SnapshotRetainerAuthorityExpires: {
        async inject() {
          await withdraw(RENEW);
          await age({ ca: 75, certificate: 0 });
        },
        mend: async () => product.applyChart(),
      },
      SnapshotRetainerBundleOutOfSync: {
        async inject() {
          await withdraw(PUBLISH);
          const stranger = aCa((await someKeys()).ca, new Date());
          const path = "/webhooks/0/clientConfig/caBundle";
          const patch = JSON.stringify([{ op: "replace", path, value: btoa(stranger) }]);
          const patched = ["mutatingwebhookconfiguration", "snapshot-retainer"];
          await cluster.kubectl(["patch", ...patched, "--type=json", "--patch", patch]);
        },
        mend: async () => product.applyChart(),
      },
      SnapshotRetainerRotationWaits: {
        async inject() {
          await twoReplicas();
          // It hangs: it says nothing, and does not go.
          product.running().at(-1)?.process.kill("SIGSTOP");
          await age({ ca: 75, certificate: 0 });
        },
        async mend() {
          await product.running().at(-1)?.stop("SIGKILL");
          await twoReplicas();
        },
      },
      SnapshotRetainerCanarySilent: {
        inject: async () => withdraw(PROBE),
        mend: async () => product.applyChart(),
      },
      SnapshotRetainerPlanIsOld: {
        async inject() {
          await withdraw(SEE);
          // A watch that stands is not asked again.
          await cluster.startComponent("kube-apiserver");
        },
        mend: async () => product.applyChart(),
      },
      SnapshotRetainerPinsFull: { inject: async () => pin("true"), mend: async () => pin(null) },
      SnapshotRetainerNoRoom: {
        async inject() {
          await pin("true");
          const { backup, upload, handle } = await beginBackup(api, aName("b"), data.claim);
          await endBackup(api, { backup, upload, handle }, "canceled");
        },
        mend: async () => pin(null),
      },
      SnapshotRetainerActionsFail: {
        async inject() {
          await withdrawRights();
          await product.applyPolicy({ ...POLICY, snapshotsToRetain: 1 });
        },
        async mend() {
          await product.applyChart();
          await product.applyPolicy(POLICY);
        },
      },
    };

    for (const [alert, { inject, mend }] of Object.entries(faults)) {
      test(`${alert} fires, and its runbook ends it`, async () => {
        const tool = {
          promtool: promtool.kind === "found" ? promtool.file : "",
          directory,
          rules: "rules.yaml",
        };
        const { now: well, ...looked } = await observe();
        assert.ok(!(await fires(tool, alert, { ...looked, well, now: well })));
        try {
          await inject();
          await eventually(
            "the alert fires",
            async () => assert.ok(await fires(tool, alert, await observe(well))),
            60_000,
          );
        } finally {
          await mend();
        }
        await eventually(
          "it fires no more",
          async () => assert.ok(!(await fires(tool, alert, await observe()))),
          180_000,
        );
      });
    }
  },
);

/** What a process that hangs does not answer, Prometheus does not have. */
async function metricsOf(probes: string): Promise<string> {
  try {
    return await (await fetch(`${probes}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
  } catch {
    return "";
  }
}

function daysAgo(days: number): Date {
  return new Date(Date.now() - days * 86_400_000);
}

/** One right of ours, and the role that gives it. */
interface Right {
  readonly role: Ref;
  readonly account: string;
  readonly verb: string;
  readonly resource: string;
}

const Rules = z.looseObject({
  rules: z.array(z.looseObject({ resources: z.array(z.string()), verbs: z.array(z.string()) })),
});
function roleOf(program: "webhook" | "controller"): Ref {
  const metadata = { name: `snapshot-retainer-${program}` };
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata };
}

const OF_WEBHOOK = roleOf("webhook");
const OF_CONTROLLER = roleOf("controller");
const RENEW: Right = {
  role: { ...OF_WEBHOOK, kind: "Role", metadata: { ...OF_WEBHOOK.metadata, namespace: NAMESPACE } },
  account: ACCOUNT,
  verb: "update",
  resource: "secrets/snapshot-retainer-tls",
};
const PUBLISH: Right = {
  role: OF_WEBHOOK,
  account: ACCOUNT,
  verb: "patch",
  resource: "mutatingwebhookconfigurations.admissionregistration.k8s.io/snapshot-retainer",
};
const PROBE: Right = {
  role: OF_CONTROLLER,
  account: CONTROLLER_ACCOUNT,
  verb: "create",
  resource: "backups.velero.io",
};
const SEE: Right = {
  role: OF_CONTROLLER,
  account: CONTROLLER_ACCOUNT,
  verb: "watch",
  resource: "datauploads.velero.io",
};
const POLICY_REF: Ref = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "snapshot-retainer-policy", namespace: NAMESPACE },
};
const CONFIGURATION: Ref = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "snapshot-retainer" },
};
