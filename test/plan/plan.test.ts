import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { stripVTControlCharacters, styleText } from "node:util";
import { createSigner } from "../../src/admission/signer.ts";
import { ApiError } from "../../src/kube/rest.ts";
import { readWorld } from "../../src/plan/collections.ts";
import { policyOf, readCluster, signerOf } from "../../src/plan/from-cluster.ts";
import { policyIn, readDump } from "../../src/plan/from-dump.ts";
import { render } from "../../src/plan/render.ts";
import { reportOf } from "../../src/plan/report.ts";
import type { Report } from "../../src/plan/report.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { decide } from "../../src/retention/decide.ts";
import { rememberDocuments, UNVERIFIED } from "../../src/retention/documents.ts";
import type { World } from "../../src/retention/world.ts";
import { parseManifests } from "../../src/review/documents.ts";
import { aPolicy } from "../builders/policy.ts";
import { aWorld, claimed, NOW, retained, taken, taking } from "../builders/world.ts";

const GOLDEN = "test/golden/plan";
const asText = { serializers: [String] };

async function reportOfExamples(): Promise<Report> {
  const parsed = parsePolicy(readFileSync("examples/retention-policy.yaml", "utf8"));
  assert.equal(parsed.kind, "policy");
  const manifests = parseManifests("FILE", readFileSync("examples/dump.yaml", "utf8"));
  const world = await readWorld(readDump(manifests), rememberDocuments(UNVERIFIED));
  const plan = decide(world, parsed.policy, NOW);
  return reportOf({ plan, now: NOW, mode: parsed.policy.mode, policy: "POLICY", verified: false });
}

function reportOn(world: World, policy: Parameters<typeof aPolicy>[0], verified = true): Report {
  const parsed = aPolicy(policy);
  const plan = decide(world, parsed, NOW);
  return reportOf({ plan, now: NOW, mode: parsed.mode, policy: "POLICY", verified });
}

/* After an intended change: npm exec -- node --test --test-update-snapshots test/plan/plan.test.ts */
describe("the plan of examples/dump.yaml", () => {
  for (const format of ["table", "json", "yaml"] as const) {
    test(`as ${format}`, async (t) => {
      t.assert.fileSnapshot(
        render(await reportOfExamples(), format, false),
        `${GOLDEN}/examples.${format}.txt`,
        asText,
      );
    });
  }
});

describe("the table", () => {
  const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };
  const world = aWorld(
    retained("s1", "5d"),
    retained("s2", "4d", pinned),
    retained("s3", "3d", { ready: false }),
    taken({ name: "s4", age: "10m", upload: "InProgress", backup: "InProgress" }),
    { ...taking("s5", "1m"), contents: [] },
    retained("a-much-longer-name", "2d", { pvc: "logs", volumeHandle: "vol-2", upload: null }),
    claimed(),
  );
  test("says why each stays or goes", (t) => {
    const policy = { snapshotsToRetain: 9, ceilings: { drivers: { "rbd.csi.ceph.com": 4 } } };
    const text = render(reportOn(world, policy), "table", false);
    t.assert.fileSnapshot(text, `${GOLDEN}/table.txt`, asText);
  });
  test("says what is held, and by what", (t) => {
    const text = render(reportOn(world, { snapshotsToRetain: 0, mode: "paused" }, false), "table", false);
    t.assert.fileSnapshot(text, `${GOLDEN}/paused.txt`, asText);
  });
  test("of nothing", (t) => {
    t.assert.fileSnapshot(render(reportOn(aWorld(), {}), "table", false), `${GOLDEN}/nothing.txt`, asText);
  });
  test("in colour says the same", () => {
    const report = reportOn(world, { snapshotsToRetain: 1, mode: "paused" });
    const coloured = render(report, "table", true);
    assert.notEqual(coloured, render(report, "table", false));
    assert.equal(stripVTControlCharacters(coloured), render(report, "table", false));
    const [first = ""] = render(reportOn(world, { snapshotsToRetain: 1 }), "table", true).split("\n");
    assert.ok(first.startsWith(styleText("bold", "app/data", { validateStream: false })));
  });
});

const backup = "apiVersion: velero.io/v1\nkind: Backup\nmetadata: { name: b1, namespace: velero }\n";

describe("a dump", () => {
  const other = "apiVersion: acme.io/v1\nkind: Backup\nmetadata: { name: theirs }\nspec: 5\n";
  test("is read from Lists and documents; other kinds are passed over", async () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n  - ${backup.replaceAll("\n", "\n    ")}`;
    const text = [list, "kind: Pod\napiVersion: v1\nmetadata: {}", other].join("\n---\n");
    const world = await readWorld(readDump(parseManifests("F", text)), rememberDocuments(UNVERIFIED));
    assert.deepEqual(
      world.backups.map(({ metadata }) => metadata.name),
      ["b1"],
    );
  });
  test("with an object that cannot be read tells file, document, and path", async () => {
    const bad =
      "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: c }\nspec: { volumeName: 7 }\n";
    const reading = readWorld(
      readDump(parseManifests("dump.yaml", `${backup}---\n${bad}`)),
      rememberDocuments(UNVERIFIED),
    );
    await assert.rejects(
      reading,
      /^InvalidInput: dump.yaml: document 2: PersistentVolumeClaim c: spec.volumeName: .*expected string/,
    );
  });
  test("may hold the policy", () => {
    const configMap =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: p }\ndata: { policy.yaml: "mode: audit" }\n';
    const manifests = parseManifests("F", configMap);
    assert.equal(policyIn(manifests, "p"), "mode: audit");
    assert.equal(policyIn(manifests, "q"), undefined);
  });
});

/** An API server that has these answers, and 404 for all else. */
function serving(answers: Readonly<Record<string, unknown>>): {
  asked: string[];
  get(path: string): Promise<unknown>;
} {
  const asked: string[] = [];
  return {
    asked,
    async get(path) {
      asked.push(path);
      const answer = answers[path];
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

describe("a cluster", () => {
  const backups = "/apis/velero.io/v1/backups?limit=500";
  test("is read page by page; what it does not have is empty", async () => {
    const rest = serving({
      [backups]: { metadata: { continue: "more" }, items: [{ metadata: { name: "b1" } }] },
      [`${backups}&continue=more`]: { metadata: { continue: "" }, items: [{ metadata: { name: "b2" } }] },
    });
    const world = await readWorld(readCluster(rest), rememberDocuments(UNVERIFIED));
    assert.deepEqual(
      world.backups.map(({ metadata }) => metadata.name),
      ["b1", "b2"],
    );
    assert.deepEqual(world.contents, []);
    assert.equal(rest.asked.length, 10);
  });
  test("with an object that cannot be read tells its kind", async () => {
    const rest = serving({ [backups]: { items: [{ metadata: 5 }] } });
    await assert.rejects(
      readWorld(readCluster(rest), rememberDocuments(UNVERIFIED)),
      /a Backup of the cluster cannot be read/,
    );
  });
  test("without a policy says what to do", async () => {
    const path = "/api/v1/namespaces/ns/configmaps/p";
    const rest = serving({ [path]: { metadata: {}, data: { "policy.yaml": "mode: audit" } } });
    assert.equal(await policyOf(rest, "ns", "p"), "mode: audit");
    await assert.rejects(policyOf(rest, "ns", "q"), /ConfigMap ns\/q does not exist .* --policy/);
  });
  test("gives the key to whoever may read it", async () => {
    const path = "/api/v1/namespaces/ns/secrets/k";
    const key = Buffer.alloc(32, 1);
    const signer = await signerOf(serving({ [path]: { data: { key: key.toString("base64") } } }), "ns", "k");
    assert.equal(signer?.sign("x"), createSigner(key).sign("x"));
    assert.equal(await signerOf(serving({}), "ns", "k"), undefined);
    assert.equal(await signerOf(serving({ [path]: new ApiError(403, "no") }), "ns", "k"), undefined);
    await assert.rejects(signerOf(serving({ [path]: new ApiError(500, "no") }), "ns", "k"), ApiError);
  });
});

describe("snapshot-retainer plan", () => {
  function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, ["src/main.ts", "plan", ...args], { encoding: "utf8" });
  }
  const example = ["-f", "examples/dump.yaml", "--policy", "examples/retention-policy.yaml"];
  test("prints the plan of a dump", () => {
    const { status, stdout } = run(...example, "--now", "2026-11-24T12:00:00Z");
    assert.equal(status, 0);
    const golden = readFileSync(`${GOLDEN}/examples.table.txt`, "utf8");
    assert.equal(stdout.replace("examples/retention-policy.yaml", "POLICY"), golden);
  });
  test("ends with 1 where there is no policy, and says so", () => {
    const { status, stderr } = run("-f", "examples/dump.yaml");
    assert.equal(status, 1);
    assert.match(stderr, /no policy: the dump has no ConfigMap snapshot-retainer-policy/);
  });
  test("ends with 1 where the policy is not valid, and says where", () => {
    const { status, stderr } = run("-f", "examples/dump.yaml", "--policy", "examples/dump.yaml");
    assert.equal(status, 1);
    assert.match(stderr, /examples\/dump.yaml: line \d+: kind/);
  });
  test("ends with 2 for a time that is none", () => {
    const { status, stderr } = run(...example, "--now", "noon");
    assert.equal(status, 2);
    assert.match(stderr, /use a time such as/);
  });
});
