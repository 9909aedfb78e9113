import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { controllerCommand } from "../../src/commands/controller-command.ts";
import { webhookCommand } from "../../src/commands/webhook-command.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { only, PRESETS, render, renderText, runHelm, WebhookConfiguration } from "./chart.ts";
import type { Rendered } from "./chart.ts";

const { binaries, skip } = await availableBinaries("demo");
const helm = binaries?.helm ?? "";

describe("presets", { skip }, () => {
  for (const preset of PRESETS) {
    test(`${preset} passes helm lint --strict`, async () => {
      const { code, stdout, stderr } = await runHelm(helm, ["lint", "--strict", "--quiet"], { preset });
      assert.equal(code, 0, stdout + stderr);
    });

    test(`${preset} renders the same twice`, async () => {
      assert.equal(await renderText(helm, { preset }), await renderText(helm, { preset }));
    });

    test(`${preset} keeps every object out of Velero's backups`, async () => {
      for (const { kind, metadata } of await render(helm, { preset })) {
        assert.equal(metadata.labels?.["velero.io/exclude-from-backup"], "true", `${kind} ${metadata.name}`);
      }
    });

    test(`${preset} renders a policy that the server takes`, async () => {
      const { data } = z
        .object({ data: z.object({ "policy.yaml": z.string() }) })
        .parse(only(await render(helm, { preset }), "ConfigMap"));
      assert.equal(parsePolicy(data["policy.yaml"]).kind, "policy");
    });
  }
});

describe("values that are refused", { skip }, () => {
  const cases: Record<string, { values: object; message: RegExp }> = {
    "an unknown key": { values: { replicas: 3 }, message: /additional properties 'replicas' not allowed/ },
    "an unknown nested key": {
      values: { webhook: { replica: 3 } },
      message: /at '\/webhook': additional properties 'replica' not allowed/,
    },
    "an unknown field of the policy": {
      values: { policy: { snapshotToRetain: 3 } },
      message: /at '\/policy': additional properties 'snapshotToRetain' not allowed/,
    },
    "names of clients without their CA": {
      values: { webhook: { tls: { clientNames: ["kube-apiserver"] } } },
      message: /webhook\.tls\.clientNames: needs webhook\.tls\.clientCaConfigMap/,
    },
    "a version of TLS that is too old": {
      values: { webhook: { tls: { minVersion: "TLSv1.1" } } },
      message: /at '\/webhook\/tls\/minVersion': value must be one of 'TLSv1\.2', 'TLSv1\.3'/,
    },
    "a wrong type": {
      values: { webhook: { port: "https" } },
      message: /'\/webhook\/port': got string, want integer/,
    },
    "a number that must be whole": {
      values: { policy: { snapshotsToRetain: 2.5 } },
      message: /'\/policy\/snapshotsToRetain'.*want integer/,
    },
    "an unknown mode": {
      values: { policy: { mode: "off" } },
      message: /'\/policy\/mode': value must be one of 'enforce', 'audit', 'paused'/,
    },
    "a rule without a number": {
      values: { policy: { rules: [{ name: "gold", when: {} }] } },
      message: /'\/policy\/rules\/0': missing property 'snapshotsToRetain'/,
    },
    "a url that is not https": {
      values: { webhook: { url: "http://x" } },
      message: /'\/webhook\/url'.*pattern/,
    },
    "a timeout below the server's own": {
      values: { webhook: { timeoutSeconds: 3 } },
      message: /minimum: got 3, want 4/,
    },
    "a digest that is none": {
      values: { image: { digest: "sha256:abc" } },
      message: /'\/image\/digest'.*pattern/,
    },
    "Velero's namespace as our own": {
      values: { policy: { velero: { namespaces: ["velero", "snapshot-retainer"] } } },
      message: /always leave out "snapshot-retainer".*install the chart into a namespace of its own/,
    },
    "kube-system as Velero's namespace": {
      values: { policy: { velero: { namespaces: ["kube-system"] } } },
      message: /always leave out "kube-system"/,
    },
    "a caBundle that somebody else writes": {
      values: { certs: { caBundle: "YQ==" } },
      message: /certs\.caBundle: in mode "self" something else writes the caBundle/,
    },
    "an external certificate without its Secret": {
      values: { certs: { mode: "external" } },
      message: /certs\.secretName: mode external needs/,
    },
    "cert-manager for a server outside": {
      values: { certs: { mode: "cert-manager" }, webhook: { url: "https://x" } },
      message: /certs\.mode: cert-manager issues for the Service/,
    },
    "the kubelet's port on the host network": {
      values: { webhook: { hostNetwork: true } },
      message: /webhook\.port: 10250 is taken on the host network/,
    },
    "a grace period that kills answers": {
      values: { webhook: { terminationGracePeriodSeconds: 20 } },
      message: /is less than webhook\.drainSeconds \+ 10 = 25/,
    },
    "a budget that lets no node drain": {
      values: { webhook: { podDisruptionBudget: { minAvailable: 2 } } },
      message: /2 of 2 replicas may never leave/,
    },
    "a controller that is killed before it gives up its Lease": {
      values: { controller: { terminationGracePeriodSeconds: 5 } },
      message: /controller\.terminationGracePeriodSeconds: 5 is less than 15/,
    },
    "a budget that lets no node of a controller drain": {
      values: { controller: { podDisruptionBudget: { minAvailable: 2 } } },
      message: /controller\.podDisruptionBudget\.minAvailable: 2 of 2/,
    },
    "too little memory for the controller's heap": {
      values: { controller: { resources: { limits: { memory: "128Mi" } } } },
      message: /controller\.resources\.limits\.memory: 128Mi leaves/,
    },
    "our namespace in the controller's environment": {
      values: { controller: { extraEnv: [{ name: "SNAPSHOT_RETAINER_NAMESPACE", value: "x" }] } },
      message: /controller\.extraEnv: SNAPSHOT_RETAINER_NAMESPACE is set/,
    },
    "too little memory for a heap": {
      values: { webhook: { resources: { limits: { memory: "128Mi" } } } },
      message: /128Mi leaves Node a heap of 32 MiB; the least is 160Mi/,
    },
    "memory in an unknown unit": {
      values: { webhook: { resources: { limits: { memory: "1 GB" } } } },
      message: /"1 GB" is not understood/,
    },
    "pods as snapshots": {
      values: { policy: { snapshotAssociatedObjects: [anSao({ resource: "pods" })] } },
      message: /"acme" names pods, which a cluster needs to start/,
    },
    "objects of any label as snapshots": {
      values: { policy: { snapshotAssociatedObjects: [anSao({ matchLabels: {} })] } },
      message: /"acme" needs matchLabels/,
    },
    "two kinds of snapshots by one name": {
      values: { policy: { snapshotAssociatedObjects: [anSao({}), anSao({})] } },
      message: /the name "acme" is given twice/,
    },
    "our namespace in the environment": {
      values: { webhook: { extraEnv: [{ name: "SNAPSHOT_RETAINER_NAMESPACE", value: "x" }] } },
      message: /SNAPSHOT_RETAINER_NAMESPACE is set by the chart/,
    },
  };
  for (const [name, { values, message }] of Object.entries(cases)) {
    test(name, async () => {
      await assert.rejects(renderText(helm, { values }), (error: Error) => {
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test("a cluster that is too old", async () => {
    await assert.rejects(renderText(helm, { kubeVersion: "1.29.9" }), /requires kubeVersion: >=1.30.0-0/);
    await renderText(helm, { kubeVersion: "v1.30.4-gke.1348000" });
  });
});

describe("webhooks", { skip }, () => {
  test("our namespace and kube-system stay left out, whatever the values say", async () => {
    const selector = {
      matchLabels: { "kubernetes.io/metadata.name": "kube-system" },
      matchExpressions: [
        { key: "kubernetes.io/metadata.name", operator: "In", values: ["kube-system", "mine"] },
      ],
    };
    const values = {
      namespaceOverride: "mine",
      webhook: { namespaceSelector: selector },
      policy: anSaoPolicy(),
    };
    const { webhooks } = mutating(await render(helm, { values }));
    assert.equal(webhooks.length, 6);
    for (const { name, namespaceSelector } of webhooks) {
      assert.deepEqual(
        namespaceSelector.matchExpressions?.[0],
        { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", "mine"] },
        name,
      );
    }
  });

  test("a caBundle is rendered only when the user gave one", async () => {
    for (const preset of PRESETS) {
      const objects = await render(helm, { preset });
      const bundles = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"].flatMap((kind) =>
        WebhookConfiguration.parse(only(objects, kind)).webhooks.map(
          ({ clientConfig }) => clientConfig.caBundle,
        ),
      );
      const isGiven = preset === "external-certs-values.yaml";
      assert.ok(
        bundles.every((bundle) => (bundle !== undefined) === isGiven),
        preset,
      );
    }
  });

  test("cert-manager is told to inject the caBundle of the serving certificate", async () => {
    const objects = await render(helm, { values: { certs: { mode: "cert-manager" } } });
    const wanted = "snapshot-retainer/snapshot-retainer-webhook";
    for (const kind of ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]) {
      assert.equal(only(objects, kind).metadata.annotations?.["cert-manager.io/inject-ca-from"], wanted);
    }
    only(objects, "Certificate", "snapshot-retainer-webhook");
  });

  test("the policy's webhook stays Ignore", async () => {
    const objects = await render(helm, { values: { webhook: { failurePolicy: "Fail" } } });
    assert.deepEqual(policies(mutating(objects)), ["Fail", "Fail", "Fail", "Fail", "Fail"]);
    const validating = WebhookConfiguration.parse(only(objects, "ValidatingWebhookConfiguration"));
    assert.deepEqual(policies(validating), ["Ignore"]);
  });

  test("an override changes the one webhook it names", async () => {
    const overrides = { volumeSnapshots: { failurePolicy: "Fail" } };
    const objects = await render(helm, { values: { webhook: { overrides } } });
    assert.deepEqual(policies(mutating(objects)), ["Ignore", "Fail", "Ignore", "Ignore", "Ignore"]);
  });

  test("VolumeSnapshots have time to wait for room", async () => {
    const usual = await render(helm);
    assert.deepEqual(timeouts(mutating(usual)), [5, 10, 5, 5, 5]);
    const overrides = { volumeSnapshots: { timeoutSeconds: 20 } };
    const raised = await render(helm, { values: { webhook: { overrides, timeoutSeconds: 6 } } });
    assert.deepEqual(timeouts(mutating(raised)), [6, 20, 6, 6, 6]);
  });

  test("every webhook says that it has no side effects on dry run alone", async () => {
    const { webhooks } = mutating(await render(helm));
    assert.deepEqual(
      webhooks.map(({ sideEffects }) => sideEffects),
      webhooks.map(() => "NoneOnDryRun"),
    );
  });

  test("globs of accounts become the prefix before the first glob character", async () => {
    const accounts = ["system:serviceaccount:acme:*", 'jo"hn@example.com', "exact"];
    const { webhooks } = mutating(await render(helm, { values: { policy: { dataMovers: { accounts } } } }));
    const { expression = "" } = webhooks[1]?.matchConditions[1] ?? {};
    assert.match(expression, /username\.startsWith\("system:serviceaccount:acme:"\)/);
    assert.match(expression, /username\.startsWith\("jo\\"hn"\)/);
    assert.match(expression, /username == "exact"/);
  });
});

describe("the server", { skip }, () => {
  test("nothing that runs is rendered for a server outside the cluster", async () => {
    const objects = await render(helm, { preset: "outside-cluster-values.yaml", more: ["--no-hooks"] });
    const kinds = new Set(objects.map(({ kind }) => kind));
    assert.deepEqual([...kinds].toSorted(), [
      "ClusterRole",
      "ClusterRoleBinding",
      "ConfigMap",
      "MutatingWebhookConfiguration",
      "Role",
      "RoleBinding",
      "ServiceAccount",
      "ValidatingWebhookConfiguration",
    ]);
  });

  for (const preset of PRESETS.filter((name) => name !== "outside-cluster-values.yaml")) {
    test(`${preset} gives flags that the command knows`, async () => {
      const [name, ...flags] = container(await render(helm, { preset })).args;
      assert.equal(name, "webhook");
      assert.deepEqual(webhookCommand().parseOptions(flags).unknown, []);
    });

    test(`${preset} gives flags that the controller's command knows`, async () => {
      const [name, ...flags] = container(await render(helm, { preset }), "controller").args;
      assert.equal(name, "controller");
      assert.deepEqual(controllerCommand().parseOptions(flags).unknown, []);
    });
  }

  test("starts the controller with options of its own, and otherwise as the image does", async () => {
    const { command } = container(await render(helm, {}), "controller");
    const dockerfile = await readFile(new URL("../../Dockerfile", import.meta.url), "utf8");
    const entry = z.array(z.string()).parse(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? ""));
    assert.deepEqual([command?.[0], command?.at(-1)], [entry[0], entry.at(-1)]);
  });

  test("connections are taken as the values say", async () => {
    const tls = {
      minVersion: "TLSv1.3",
      ciphers: "TLS_AES_256_GCM_SHA384",
      clientCaConfigMap: "api-server-ca",
      clientNames: ["kube-apiserver", "spare"],
    };
    const { args } = container(await render(helm, { values: { webhook: { tls } } }));
    assert.deepEqual(
      args.filter((flag) => /^--(tls-(min|ciphers)|client-)/.test(flag)),
      [
        "--tls-min-version=TLSv1.3",
        "--tls-ciphers=TLS_AES_256_GCM_SHA384",
        "--client-ca=/etc/snapshot-retainer/client-ca/ca.crt",
        "--client-name=kube-apiserver",
        "--client-name=spare",
      ],
    );
    const mounted = JSON.stringify(
      only(await render(helm, { values: { webhook: { tls } } }), "Deployment", "snapshot-retainer-webhook"),
    );
    assert.ok(mounted.includes('"mountPath":"/etc/snapshot-retainer/client-ca","readOnly":true'));
    assert.ok(
      mounted.includes('"configMap":{"name":"api-server-ca","items":[{"key":"ca.crt","path":"ca.crt"}]}'),
    );
  });

  test("by default no client needs a certificate, and TLS 1.2 is the floor", async () => {
    const { args } = container(await render(helm));
    assert.deepEqual(
      args.filter((flag) => /^--(tls-(min|ciphers)|client-)/.test(flag)),
      ["--tls-min-version=TLSv1.2"],
    );
  });

  test("only the two programs are given a token", async () => {
    const objects = await render(helm);
    for (const account of objects.filter(({ kind }) => kind === "ServiceAccount")) {
      assert.equal(account["automountServiceAccountToken"], false, account.metadata.name);
    }
    const pods = JSON.stringify(objects).match(/"serviceAccountToken"/g) ?? [];
    // The webhook's, the controller's, and that of the pod of `helm test`.
    assert.equal(pods.length, 3);
    assert.equal((JSON.stringify(objects).match(/"automountServiceAccountToken":false/g) ?? []).length, 6);
  });

  const heaps: Record<string, string | undefined> = {
    "160Mi": "64",
    "256Mi": "160",
    "512Mi": "384",
    "1Gi": "768",
    "0.5Gi": "384",
    "300M": "190",
    "268435456": "160",
  };
  for (const [memory, heap] of Object.entries(heaps)) {
    test(`a memory limit of ${memory} gives a heap of ${heap} MiB`, async () => {
      const values = { webhook: { resources: { limits: { memory } } } };
      assert.equal(nodeOptions(await render(helm, { values })), `--max-old-space-size=${heap}`);
    });
  }

  test("without a memory limit Node chooses its heap", async () => {
    const values = { webhook: { resources: { limits: { memory: null } }, nodeOptions: "--tls-min-v1.3" } };
    assert.equal(nodeOptions(await render(helm, { values })), "--tls-min-v1.3");
  });

  test("a user's NODE_OPTIONS replaces the chart's", async () => {
    const values = { webhook: { extraEnv: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=99" }] } };
    assert.equal(nodeOptions(await render(helm, { values })), "--max-old-space-size=99");
  });

  test("one replica has no disruption budget", async () => {
    const values = { webhook: { replicas: 1 }, controller: { replicas: 1 } };
    const kinds = (await render(helm, { values })).map(({ kind }) => kind);
    assert.ok(!kinds.includes("PodDisruptionBudget"));
  });

  test("the webhook and the controller have disruption budgets of their own", async () => {
    const objects = await render(helm);
    for (const component of ["webhook", "controller"]) {
      const budget = only(objects, "PodDisruptionBudget", `snapshot-retainer-${component}`);
      const { spec } = z
        .object({ spec: z.object({ selector: z.object({ matchLabels: z.record(z.string(), z.string()) }) }) })
        .parse(budget);
      assert.equal(spec.selector.matchLabels["app.kubernetes.io/component"], component);
    }
  });

  test("nothing of the controller is rendered where it is not wanted", async () => {
    const text = await renderText(helm, { values: { controller: { enabled: false } } });
    assert.ok(!text.includes("snapshot-retainer-controller"));
  });

  test("the webhook takes the controller for one of us", async () => {
    const values = { namespaceOverride: "mine", controller: { serviceAccount: { name: "pruner" } } };
    const { args } = container(await render(helm, { values }));
    assert.ok(args.includes("--own-account=system:serviceaccount:mine:pruner"));
  });

  test("an image is named by registry, tag and digest", async () => {
    const digest = `sha256:${"a".repeat(64)}`;
    const images: [object, string][] = [
      [{}, "ghcr.io/snapshot-retainer/snapshot-retainer:0.2.0"],
      [{ image: { tag: "1.2.3" } }, "ghcr.io/snapshot-retainer/snapshot-retainer:1.2.3"],
      [{ image: { registry: "", digest } }, `snapshot-retainer/snapshot-retainer@${digest}`],
      [{ global: { imageRegistry: "r.io" } }, "r.io/snapshot-retainer/snapshot-retainer:0.2.0"],
    ];
    for (const [values, image] of images) {
      assert.equal(container(await render(helm, { values })).image, image);
    }
  });
});

function mutating(objects: readonly Rendered[]): z.infer<typeof WebhookConfiguration> {
  return WebhookConfiguration.parse(only(objects, "MutatingWebhookConfiguration"));
}

function policies({ webhooks }: z.infer<typeof WebhookConfiguration>): string[] {
  return webhooks.map(({ failurePolicy }) => failurePolicy);
}

function timeouts({ webhooks }: z.infer<typeof WebhookConfiguration>): number[] {
  return webhooks.map(({ timeoutSeconds }) => timeoutSeconds);
}

const Container = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
});

function container(objects: readonly Rendered[], component = "webhook"): z.infer<typeof Container> {
  const Deployment = z.object({
    spec: z.object({ template: z.object({ spec: z.object({ containers: z.tuple([Container]) }) }) }),
  });
  return Deployment.parse(only(objects, "Deployment", `snapshot-retainer-${component}`)).spec.template.spec
    .containers[0];
}

function nodeOptions(objects: readonly Rendered[]): string | undefined {
  const found = container(objects).env.filter(({ name }) => name === "NODE_OPTIONS");
  assert.equal(found.length, 1);
  return found[0]?.value;
}

function anSao(overrides: object): object {
  return {
    name: "acme",
    resource: "configmaps",
    matchLabels: { "acme.io/snapshot": "true" },
    accounts: ["acme"],
    volume: { name: "/data/volume" },
    snapshotHandle: "/data/handle",
    ...overrides,
  };
}

function anSaoPolicy(): object {
  return { snapshotAssociatedObjects: [anSao({})] };
}
