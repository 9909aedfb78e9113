import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import * as z from "zod";
import { rightsNeeded } from "../../src/doctor/rights.ts";
import { RetentionPolicy } from "../../src/policy/schema.ts";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { PROGRAM } from "../program.ts";
import type { Api, Ref } from "./api.ts";
import { createVolume, somebodyLeads, startScene } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { NAMESPACE } from "./product.ts";
import { A_LOCATION, aVelero } from "./velero-workloads.ts";
import type { Product } from "./product.ts";

const { binaries, skip } = await availableBinaries("demo");
const run = promisify(execFile);

const VALUES = {
  snapshotsToRetain: 2,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
};
const POLICY = { apiVersion: "snapshot-retainer.io/v1alpha1", kind: "RetentionPolicy", ...VALUES };
const Findings = z.array(
  z.object({ check: z.string(), status: z.string(), message: z.string(), fix: z.string().optional() }),
);
type Findings = z.infer<typeof Findings>;

/** A fault that is put into a cluster, and what the doctor has to say of it. */
interface Fault {
  readonly inject: () => Promise<void>;
  readonly mend: () => Promise<void>;
  readonly check: string;
  readonly message: RegExp;
  readonly fix: RegExp;
}

describe("doctor", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;

  before(async () => {
    ({ cluster, api, product } = await startScene(binaries, VALUES));
    await (await product.startController()).ready();
    for (const object of aVelero()) await api.create(object);
    const { object: location } = await api.create(A_LOCATION);
    await api.patch(location, { status: { phase: "Available" } });
    await somebodyLeads(product);
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  async function doctor(...flags: string[]): Promise<{ code: number; stdout: string }> {
    const args = [PROGRAM, "doctor", "--kubeconfig", cluster.kubeconfig, ...flags];
    try {
      return { code: 0, stdout: (await run(process.execPath, args)).stdout };
    } catch (error) {
      const { code, stdout } = z.object({ code: z.number(), stdout: z.string() }).parse(error);
      return { code, stdout };
    }
  }

  async function findings(): Promise<Findings> {
    return Findings.parse(JSON.parse((await doctor("--output", "json")).stdout));
  }

  test("finds nothing where nothing is wrong, and says so", async () => {
    await createVolume(api, "data");
    const { code, stdout } = await doctor();
    assert.equal(code, 0, stdout);
    assert.match(stdout, /✔ TLS .* is trusted by the published bundle/);
    assert.match(stdout, /✔ admission .*a Backup in velero gets its number/);
    assert.match(stdout, /\nall is well\n$/);
    assert.ok(!stdout.includes("\u001B"), "colours that nobody asked for");
  });

  test("looks at the rights that the chart grants, and at no others", async () => {
    const setting = { namespace: NAMESPACE, name: "snapshot-retainer" };
    const needed = rightsNeeded(setting, RetentionPolicy.parse(POLICY));
    const roles = await cluster.kubectl(["get", "clusterroles,roles", "-A", "-o=json", "-l", OURS]);
    const granted = grantedBy(JSON.parse(roles.stdout));
    const asked = [...needed.webhook, ...needed.controller].map(
      ({ verb, group, resource }) => `${verb} ${resource}.${group}`,
    );
    // Publishing the certificate, and what goes by other values, are the chart's own matter.
    const others = /admissionregistration|configmaps|secrets|leases|^create backups/;
    assert.deepEqual(
      [...granted].filter((right) => !asked.includes(right) && !others.test(right)),
      [],
    );
  });

  const webhooks: Ref = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "snapshot-retainer" },
  };
  const validating: Ref = { ...webhooks, kind: "ValidatingWebhookConfiguration" };
  const faults: Record<string, Fault> = {
    "a policy that is not valid, and came while nobody refused it": {
      inject: async () => {
        await api.remove(validating);
        await api.patch(POLICY_REF, { data: { "policy.yaml": "kind: Nonsense" } });
      },
      mend: async () => {
        await product.applyChart();
        await product.applyPolicy(VALUES);
      },
      check: "policy",
      message: /is not valid, an earlier one is in force: line 1/,
      fix: /docs\/policy.md/,
    },
    "a right that was taken away": {
      inject: async () => api.remove(BINDING),
      mend: async () => product.applyChart(),
      check: "rights",
      message: /snapshot-retainer-controller may not .*patch datauploads.velero.io/,
      fix: /helm upgrade/,
    },
    "a configuration that was deleted": {
      inject: async () => api.remove(webhooks),
      mend: async () => product.applyChart(),
      check: "configuration",
      message: /mutatingwebhookconfigurations snapshot-retainer does not exist/,
      fix: /helm upgrade/,
    },
    "no controller": {
      inject: async () =>
        void (await Promise.all(product.runningControllers().map(async (each) => each.stop()))),
      mend: async () => (await product.startController()).ready(),
      check: "controller",
      message: /nobody leads: Lease snapshot-retainer\/snapshot-retainer-controller has no holder/,
      fix: /kubectl --namespace snapshot-retainer/,
    },
    "no replica": {
      inject: async () => void (await Promise.all(product.running().map(async (each) => each.stop()))),
      mend: async () => (await product.startReplica()).ready(),
      check: "admission",
      message: /comes back unchanged/,
      fix: /what failed above/,
    },
    "a replica that takes connections and says nothing": {
      inject: async () => product.running().forEach(({ process }) => void process.kill("SIGSTOP")),
      mend: async () => {
        product.running().forEach(({ process }) => void process.kill("SIGCONT"));
        await Promise.all(product.running().map(async (replica) => replica.ready()));
      },
      check: "TLS",
      message: /TLS did not come about in time/,
      fix: /a proxy/,
    },
    "a node-agent that is not there": {
      inject: async () => api.remove(aVelero()[1]),
      mend: async () => void (await api.create(aVelero()[1])),
      check: "Velero",
      message: /no node-agent in velero/,
      fix: /--use-node-agent/,
    },
  };
  for (const [name, { inject, mend, check, message, fix }] of Object.entries(faults)) {
    test(`finds ${name}, and says what to do`, async () => {
      await inject();
      try {
        await eventually("it is found", async () => {
          const failed = (await findings()).filter(({ status }) => status === "failed");
          const found = failed.find((each) => each.check === check && message.test(each.message));
          assert.ok(found !== undefined, JSON.stringify(failed));
          assert.match(found.fix ?? "", fix);
        });
        assert.equal((await doctor()).code, 1);
      } finally {
        await mend();
      }
      await eventually("all is well again", async () =>
        assert.deepEqual(
          (await findings()).filter(({ status }) => status === "failed"),
          [],
        ),
      );
    });
  }

  test("says what it could not look at, to a user with few rights", async () => {
    const kubeconfig = await cluster.kubeconfigFor("shop", "default");
    const { code, stdout } = await doctor("--kubeconfig", kubeconfig);
    assert.equal(code, 1);
    assert.match(stdout, /! policy +could not be looked at: .*forbidden/);
    assert.match(stdout, /- rights +this user may not ask/);
  });

  test("needs no other rights than docs/command-line.md says", async () => {
    const [, role = ""] = /```yaml\n([\s\S]*?)```/.exec(readFileSync("docs/command-line.md", "utf8")) ?? [];
    await cluster.kubectl(["apply", "-f", "-"], { stdin: role });
    await cluster.kubectl(["create", "serviceaccount", "viewer", "--namespace=shop"]);
    const binding = ["clusterrolebinding", "viewer", "--clusterrole=snapshot-retainer-viewer"];
    await cluster.kubectl(["create", ...binding, "--serviceaccount=shop:viewer"]);
    const kubeconfig = await cluster.kubeconfigFor("shop", "viewer");
    await eventually("it may look at everything", async () => {
      const { code, stdout } = await doctor("--kubeconfig", kubeconfig);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /all is well/);
    });
    const { stdout } = await run(process.execPath, [PROGRAM, "plan", "--kubeconfig", kubeconfig]);
    assert.match(stdout, /nothing was changed/);
  });

  test("says at once that the API server does not answer", async () => {
    const { code, stdout } = await doctor("--kubeconfig", "examples/no-such-kubeconfig");
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
  });
});

const OURS = "app.kubernetes.io/part-of=snapshot-retainer";
const POLICY_REF: Ref = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "snapshot-retainer-policy", namespace: NAMESPACE },
};
const BINDING: Ref = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "snapshot-retainer-controller" },
};

const Roles = z.object({
  items: z.array(
    z.object({
      rules: z.array(
        z.object({
          apiGroups: z.array(z.string()),
          resources: z.array(z.string()),
          verbs: z.array(z.string()),
        }),
      ),
    }),
  ),
});

function grantedBy(roles: unknown): Set<string> {
  const rules = Roles.parse(roles).items.flatMap((role) => role.rules);
  return new Set(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
      ),
    ),
  );
}
