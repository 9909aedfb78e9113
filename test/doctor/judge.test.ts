import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judgeProbe } from "../../src/doctor/admission.ts";
import { judgeVersion } from "../../src/doctor/api-server.ts";
import { judgeLease } from "../../src/doctor/controller.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { judgePolicy } from "../../src/doctor/policy.ts";
import { renderFinding, renderSummary } from "../../src/doctor/render.ts";
import { judgeRights } from "../../src/doctor/rights.ts";
import { judgeStorage } from "../../src/doctor/storage.ts";
import { judgeVelero } from "../../src/doctor/velero.ts";
import type { VeleroFacts } from "../../src/doctor/velero.ts";
import { judgeConfiguration, targetOf } from "../../src/doctor/webhook.ts";
import { aWorld, claimed, planOf, retained } from "../builders/world.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");

function aVelero(
  overrides: Partial<VeleroFacts> = {},
  image = "velero/velero:v1.18.3",
  args = ["server"],
): VeleroFacts {
  return {
    namespace: "velero",
    deployments: [aWorkload("velero", image, args)],
    daemonSets: [aWorkload("node-agent", image, ["node-agent", "server"])],
    locations: [{ metadata: { name: "default" }, status: { phase: "Available", message: "" } }],
    ...overrides,
  };
}

function aWorkload(
  name: string,
  image: string,
  args: string[],
  status = {},
): VeleroFacts["deployments"][number] {
  return {
    metadata: { name },
    spec: { template: { spec: { containers: [{ image, command: ["/velero"], args }] } } },
    status: { readyReplicas: 1, desiredNumberScheduled: 1, numberReady: 1, ...status },
  };
}

function lines(findings: readonly Finding[]): string[] {
  return findings.map(({ status, message }) => `${status}: ${message}`);
}

describe("Velero", () => {
  const agent = aWorkload("node-agent", "velero/velero:v1.18.3", ["node-agent"], { numberReady: 0 });
  const away = [{ metadata: { name: "s3" }, status: { phase: "Unavailable", message: "no such host" } }];
  const cases: Record<string, { facts: VeleroFacts; want: RegExp }> = {
    "in another namespace": {
      facts: aVelero({ deployments: [] }),
      want: /^failed: no Velero server in namespace velero/,
    },
    "before the data mover": {
      facts: aVelero({}, "velero/velero:v1.11.1"),
      want: /^failed: Velero 1.11 .*no CSI data mover/,
    },
    "without CSI": {
      facts: aVelero({}, "velero/velero:v1.13.0"),
      want: /^failed: Velero 1.13 .*takes no CSI snapshots/,
    },
    "with CSI as a feature": {
      facts: aVelero({}, "velero/velero:v1.13.0", ["server", "--features=EnableCSI"]),
      want: /^ok: Velero 1.13 in velero/,
    },
    "that is newer than what was tried": {
      facts: aVelero({}, "velero/velero:v1.21.0-rc.1"),
      want: /^warning: Velero 1.21/,
    },
    "by a digest": {
      facts: aVelero({}, "velero/velero@sha256:0123"),
      want: /^warning: .*does not tell its version/,
    },
    "without node-agents": { facts: aVelero({ daemonSets: [] }), want: /^failed: no node-agent/m },
    "whose node-agents do not run": {
      facts: aVelero({ daemonSets: [agent] }),
      want: /^warning: 0 of 1 node-agents/m,
    },
    "without object storage": {
      facts: aVelero({ locations: [] }),
      want: /^failed: no BackupStorageLocation/m,
    },
    "whose object storage is away": {
      facts: aVelero({ locations: away }),
      want: /^warning: BackupStorageLocation velero\/s3 is Unavailable: no such host/m,
    },
  };
  for (const [name, { facts, want }] of Object.entries(cases)) {
    test(name, () => assert.match(lines(judgeVelero(facts)).join("\n"), want));
  }

  test("as it should be", () => {
    assert.ok(judgeVelero(aVelero()).every(({ status }) => status === "ok"));
  });
});

describe("the policy", () => {
  const head = "apiVersion: snapshot-retainer.io/v1alpha1\nkind: RetentionPolicy\n";
  const cases: Record<string, { text: string; want: RegExp }> = {
    "that is not valid is told with its line": {
      text: `${head}snapshotsToRetan: 3`,
      want: /^failed: .*line 3/,
    },
    "in mode audit": { text: `${head}mode: audit\nsnapshotsToRetain: 1`, want: /^warning: .*mode audit/ },
    "in mode paused": { text: `${head}mode: paused\nsnapshotsToRetain: 1`, want: /^warning: .*mode paused/ },
    "that retains nothing": { text: head, want: /warning: no number is above 0/ },
    "that retains": { text: `${head}snapshotsToRetain: 1`, want: /^ok: [^\n]*enforce$/ },
  };
  for (const [name, { text, want }] of Object.entries(cases)) {
    test(name, () => assert.match(lines(judgePolicy(text, "it").findings).join("\n"), want));
  }
});

describe("the webhook configuration", () => {
  const service = { namespace: "ns", name: "hook", port: 443 };
  function withWebhook(webhook: object): Parameters<typeof judgeConfiguration>[1] {
    const clientConfig = { service, caBundle: btoa("PEM") };
    return { webhooks: [{ name: "a.b.c", failurePolicy: "Ignore", clientConfig, ...webhook }] };
  }
  test("that is not there", () =>
    assert.match(lines(judgeConfiguration("it", undefined))[0] ?? "", /^failed/));
  test("without a bundle", () => {
    const bare = withWebhook({ clientConfig: { service, caBundle: "" } });
    assert.match(lines(judgeConfiguration("it", bare))[0] ?? "", /^failed: it: no caBundle in a.b.c/);
  });
  test("that refuses", () => {
    assert.match(
      lines(judgeConfiguration("it", withWebhook({ failurePolicy: "Fail" })))[0] ?? "",
      /^warning/,
    );
  });
  test("says where the webhook is called", () => {
    assert.deepEqual(targetOf(withWebhook({})), { host: "hook.ns.svc", port: 443, service, bundle: "PEM" });
    const url = withWebhook({ clientConfig: { url: "https://hooks.example.com/mutate", caBundle: "" } });
    assert.deepEqual(targetOf(url), { host: "hooks.example.com", port: 443, service: undefined, bundle: "" });
  });
});

describe("the leader", () => {
  const spec = { holderIdentity: "pod-1", leaseDurationSeconds: 15, renewTime: "2026-11-24T11:59:50Z" };
  const lease = { metadata: { name: "l" }, spec };
  test("leads", () => assert.equal(judgeLease(lease, "ns/l", NOW).status, "ok"));
  test("has not renewed for long", () => {
    assert.match(judgeLease(lease, "ns/l", NOW + 3_600_000).message, /^nobody leads: pod-1 .* 3610 s ago/);
  });
  test("is not there", () => assert.match(judgeLease(undefined, "ns/l", NOW).message, /does not exist/));
});

describe("the storage", () => {
  const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };
  function found(...world: Parameters<typeof aWorld>): string {
    const all = aWorld(...world, claimed());
    const policy = { snapshotsToRetain: 1, ceilings: { drivers: { "rbd.csi.ceph.com": 2 } } };
    return lines(judgeStorage(all, planOf(all, policy))).join("\n");
  }
  test("with room", () => assert.match(found(retained("s1", "1d")), /^ok: 1 snapshots of 1 volumes/));
  test("that refused a snapshot", () => {
    const status = { readyToUse: false, error: { message: "snapshot limit of 10 reached" } };
    assert.match(
      found(retained("s1", "1d", { content: { status } })),
      /^warning: .*s1: snapshot limit of 10 reached/,
    );
  });
  test("whose volume is full of pins", () => {
    const text = found(retained("s1", "2d", pinned), retained("s2", "1d", pinned));
    assert.match(text, /^warning: volumes that are at their ceiling.*app\/data \(2 of 2\)/);
    assert.match(text, /PinnedFull/);
  });
});

test("an old Kubernetes is told", () => {
  assert.equal(judgeVersion({ gitVersion: "v1.29.4", major: "1", minor: "29+" }, "it").status, "failed");
  assert.equal(judgeVersion({ gitVersion: "v1.30.0", major: "1", minor: "30" }, "it").status, "ok");
});

test("missing rights are named", () => {
  const right = { verb: "patch", group: "velero.io", resource: "backups", namespace: "", name: "" };
  assert.match(judgeRights("ns/a", [right], 9).message, /ns\/a may not patch backups.velero.io/);
  assert.equal(judgeRights("ns/a", [], 9).status, "ok");
});

test("what the dry run says decides", () => {
  assert.equal(judgeProbe({ kind: "mutated", namespace: "velero" }).status, "ok");
  assert.equal(judgeProbe({ kind: "unmutated", namespace: "velero" }).status, "failed");
  assert.match(judgeProbe({ kind: "failed", namespace: "velero", reason: "forbidden" }).message, /forbidden/);
});

test("a finding is one line, and one with what to do", () => {
  const finding: Finding = { check: "TLS", status: "failed", message: "it is broken", fix: "mend it" };
  assert.equal(renderFinding(finding, false), "✘ TLS           it is broken\n                → mend it\n");
  assert.ok(renderFinding(finding, true).startsWith("\u001B[31m✘"));
  assert.match(renderSummary([finding], false), /1 failed, 0 to look at/);
  assert.match(renderSummary([], false), /all is well/);
});
