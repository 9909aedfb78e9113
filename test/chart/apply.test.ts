import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { CHART, only, parseObjects, PRESETS, render, renderText, WebhookConfiguration } from "./chart.ts";
import type { Rendered } from "./chart.ts";

const { binaries, skip } = await availableBinaries("demo");
const cluster = binaries === undefined ? undefined : await startCluster({ binaries });
after(async () => cluster?.stop());

const NAMESPACE = "snapshot-retainer";
const CONFIGURATIONS = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];
// Whose definitions are installed by others, and not in the cluster of the tests.
const ELSEWHERE = new Set(["cert-manager.io/v1", "monitoring.coreos.com/v1"]);

describe("presets on a real API server", { skip }, () => {
  test("namespaces", async () => {
    // Pods that do not meet the standard are refused, and Deployments of such pods are warned of.
    await apply({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: NAMESPACE,
        labels: {
          "pod-security.kubernetes.io/enforce": "restricted",
          "pod-security.kubernetes.io/warn": "restricted",
        },
      },
    });
    // Where Velero is, by the presets: the chart puts Roles there.
    for (const namespace of ["openshift-adp", "velero-dr"])
      await there().kubectl(["create", "namespace", namespace]);
  });

  for (const preset of PRESETS) {
    test(`${preset} is applied by server-side apply, and again without a change`, async () => {
      const objects = (await render(there().binaries.helm, { preset })).filter(isServed);
      const first = await apply(...objects);
      // The host network is what the preset asks for, and what "restricted" forbids.
      if (preset !== "eks-cni-values.yaml") assert.doesNotMatch(first.stderr, /Warning/);
      const before = await versions(objects);
      await apply(...objects);
      assert.deepEqual(await versions(objects), before);
      await there().kubectl(["delete", "--wait=false", "-f", "-"], {
        stdin: JSON.stringify(listOf(objects)),
      });
    });
  }

  test("a broken CEL expression is refused by the API server", async () => {
    const matchConditions = [{ name: "broken", expression: "object.metadata." }];
    const text = await renderText(there().binaries.helm, { values: { webhook: { matchConditions } } });
    const configuration = only(parseObjects(text), "MutatingWebhookConfiguration");
    await assert.rejects(apply(configuration), /matchConditions\[3\].expression: Invalid value/);
  });
});

describe("an installed chart", { skip }, () => {
  test("helm upgrade and server-side apply leave a published caBundle alone", async () => {
    const bundle = await aCaBundle();
    await there().helm(["upgrade", "--install", NAMESPACE, CHART, "--namespace", NAMESPACE]);
    for (const kind of CONFIGURATIONS) await publish(kind, bundle);
    await there().helm([
      "upgrade",
      NAMESPACE,
      CHART,
      "--namespace",
      NAMESPACE,
      "--set",
      "policy.snapshotsToRetain=4",
    ]);
    assert.deepEqual(await bundlesOf(), new Set([bundle]));

    const objects = parseObjects(await renderText(there().binaries.helm, { more: ["--no-hooks"] }));
    const configurations = objects.filter(({ kind }) => kind.endsWith("WebhookConfiguration"));
    await there().kubectl(
      ["apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-"],
      {
        stdin: JSON.stringify(listOf(configurations)),
      },
    );
    await there().kubectl(["apply", "--server-side", "--field-manager=gitops", "-f", "-"], {
      stdin: JSON.stringify(listOf(configurations)),
    });
    assert.deepEqual(await bundlesOf(), new Set([bundle]));
    for (const kind of CONFIGURATIONS) {
      const { stdout } = await there().kubectl([
        "get",
        kind,
        NAMESPACE,
        "--show-managed-fields",
        "-o",
        "json",
      ]);
      const { managedFields } = Managed.parse(JSON.parse(stdout)).metadata;
      const owners = managedFields.filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes("f:caBundle"));
      assert.deepEqual(
        owners.map(({ manager }) => manager),
        ["snapshot-retainer"],
      );
    }
  });

  test("its account may do what the roles say, and nothing beside", async () => {
    const account = `system:serviceaccount:${NAMESPACE}:snapshot-retainer-webhook`;
    const may: [boolean, string][] = [
      [true, "list volumesnapshotcontents.snapshot.storage.k8s.io"],
      [true, "watch backups.velero.io --all-namespaces"],
      [true, "get persistentvolumeclaims -n app"],
      [true, `patch mutatingwebhookconfigurations/${NAMESPACE}`],
      [true, `update secrets/snapshot-retainer-tls -n ${NAMESPACE}`],
      [true, `list configmaps/snapshot-retainer-policy -n ${NAMESPACE}`],
      [false, "patch mutatingwebhookconfigurations/other"],
      [false, "patch events -n velero"],
      [false, `get secrets/other -n ${NAMESPACE}`],
      [false, `update configmaps/snapshot-retainer-policy -n ${NAMESPACE}`],
      [false, "get secrets -n velero"],
      [false, "delete volumesnapshotcontents.snapshot.storage.k8s.io"],
      [false, "patch backups.velero.io -n velero"],
    ];
    for (const [allowed, what] of may) {
      const { stdout } = await there().kubectl(["auth", "can-i", ...what.split(" ")], {
        as: account,
        allowFailure: true,
      });
      assert.equal(stdout.trim(), allowed ? "yes" : "no", what);
    }
  });

  test("its test fails when admission does not set the limit, and passes when it does", async () => {
    const objects = await render(there().binaries.helm, {});
    const account = objects.filter(({ metadata }) => metadata.name === "snapshot-retainer-test");
    await apply(...account.filter(({ kind }) => kind !== "Pod"));
    const failed = await runCheck();
    assert.equal(failed.code, 1);
    assert.match(failed.output, /FAILED: the Backup came back without the annotation backup.velero.io/);

    await apply(...aPolicyThatSetsTheLimit());
    // A policy takes effect a moment after it was written.
    await waitFor(async () => (await runCheck()).code === 0);
    assert.match((await runCheck()).output, /came back with backup.velero.io.*: "7"/);
    await there().kubectl(["delete", "mutatingadmissionpolicybindings,mutatingadmissionpolicies", "--all"]);
  });

  test("uninstalling leaves no object of the chart", async () => {
    await there().helm(["uninstall", NAMESPACE, "--namespace", NAMESPACE, "--wait"]);
    const { stdout } = await there().kubectl([
      "get",
      [
        ...CONFIGURATIONS,
        "clusterrole,clusterrolebinding,role,rolebinding,configmap,service,deployment",
      ].join(","),
      "--all-namespaces",
      "--selector=app.kubernetes.io/name=snapshot-retainer,app.kubernetes.io/component!=test",
      "--output=name",
    ]);
    assert.equal(stdout, "");
  });
});

function there(): Cluster {
  assert.ok(cluster);
  return cluster;
}

function isServed({ apiVersion }: Rendered): boolean {
  return !ELSEWHERE.has(apiVersion);
}

function listOf(items: readonly object[]): object {
  return { apiVersion: "v1", kind: "List", items };
}

async function apply(...objects: object[]): ReturnType<Cluster["kubectl"]> {
  return there().kubectl(["apply", "--server-side", "--field-manager=helm", "-f", "-"], {
    stdin: JSON.stringify(listOf(objects)),
  });
}

// A Deployment's controller writes its status all the time; its generation changes with its spec alone.
async function versions(objects: readonly Rendered[]): Promise<string[]> {
  const { stdout } = await there().kubectl(["get", "-f", "-", "-o", "json"], {
    stdin: JSON.stringify(listOf(objects.filter(({ kind }) => kind !== "Pod"))),
  });
  const { items } = Stored.parse(JSON.parse(stdout));
  return items.map(
    ({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.generation ?? metadata.resourceVersion}`,
  );
}

const Stored = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({
        name: z.string(),
        generation: z.number().optional(),
        resourceVersion: z.string(),
      }),
    }),
  ),
});

const Managed = z.object({
  metadata: z.object({ managedFields: z.array(z.object({ manager: z.string(), fieldsV1: z.unknown() })) }),
});

async function aCaBundle(): Promise<string> {
  const objects = await render(there().binaries.helm, { preset: "external-certs-values.yaml" });
  const { webhooks } = WebhookConfiguration.parse(only(objects, "MutatingWebhookConfiguration"));
  return webhooks[0]?.clientConfig.caBundle ?? "";
}

async function publish(kind: string, bundle: string): Promise<void> {
  const { stdout } = await there().kubectl(["get", kind, NAMESPACE, "-o", "json"]);
  const { webhooks } = WebhookConfiguration.parse(JSON.parse(stdout));
  const patch = webhooks.map((_, index) => ({
    op: "add",
    path: `/webhooks/${index}/clientConfig/caBundle`,
    value: bundle,
  }));
  await there().kubectl([
    "patch",
    kind,
    NAMESPACE,
    "--type=json",
    "--field-manager=snapshot-retainer",
    "--patch",
    JSON.stringify(patch),
  ]);
}

async function bundlesOf(): Promise<Set<string | undefined>> {
  const found = new Set<string | undefined>();
  for (const kind of CONFIGURATIONS) {
    const { stdout } = await there().kubectl(["get", kind, NAMESPACE, "-o", "json"]);
    for (const { clientConfig } of WebhookConfiguration.parse(JSON.parse(stdout)).webhooks)
      found.add(clientConfig.caBundle);
  }
  return found;
}

/** Runs what the pod of `helm test` runs, as its account. */
async function runCheck(): Promise<{ code: number; output: string }> {
  const token = await there().kubectl([
    "create",
    "token",
    "snapshot-retainer-test",
    "--namespace",
    NAMESPACE,
  ]);
  const tokenFile = join(there().directory, "test-token");
  await writeFile(tokenFile, token.stdout);
  const env = {
    API_SERVER: there().server,
    NODE_EXTRA_CA_CERTS: there().caFile,
    TOKEN_FILE: tokenFile,
    BACKUP_NAMESPACE: "velero",
    POLICY_MODE: "enforce",
  };
  const child = spawn(process.execPath, [join(CHART, "files/admission-check.mjs")], { env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  await once(child, "close");
  return { code: child.exitCode ?? -1, output };
}

async function waitFor(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await isTrue())) {
    assert.ok(Date.now() < deadline, "not true within 30 seconds");
    await sleep(500);
  }
}

/** Stands in for the webhook, which the end-to-end tests run: the API server itself sets the annotation. */
function aPolicyThatSetsTheLimit(): object[] {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const expression =
    'Object{metadata: Object.metadata{annotations: {"backup.velero.io/data-mover-snapshot-to-retain": "7"}}}';
  return [
    {
      apiVersion,
      kind: "MutatingAdmissionPolicy",
      metadata: { name: "limit" },
      spec: {
        reinvocationPolicy: "Never",
        matchConstraints: {
          resourceRules: [
            { apiGroups: ["velero.io"], apiVersions: ["v1"], resources: ["backups"], operations: ["CREATE"] },
          ],
        },
        mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
      },
    },
    {
      apiVersion,
      kind: "MutatingAdmissionPolicyBinding",
      metadata: { name: "limit" },
      spec: { policyName: "limit" },
    },
  ];
}
