import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { only, PRESETS, render } from "./chart.ts";
import type { Rendered } from "./chart.ts";

const { binaries, skip } = await availableBinaries("demo");
const helm = binaries?.helm ?? "";
const NAME = "snapshot-retainer-webhook";
const CONTROLLER = "snapshot-retainer-controller";

/** One line a right: verb, group/resource, and the only name that it holds for. */
const EVERYWHERE = [
  ...rights("get list watch", "snapshot.storage.k8s.io/volumesnapshots"),
  ...rights("get list watch", "snapshot.storage.k8s.io/volumesnapshotcontents"),
  ...rights("get list watch", "velero.io/backups"),
  ...rights("get list watch", "velero.io/datauploads"),
  ...rights("get", "core/persistentvolumeclaims"),
  ...rights("get", "core/persistentvolumes"),
  ...rights("create patch", "core/events"),
];
const PUBLISHING = [
  ...rights(
    "get list watch patch",
    "admissionregistration.k8s.io/mutatingwebhookconfigurations snapshot-retainer",
  ),
  ...rights(
    "get list watch patch",
    "admissionregistration.k8s.io/validatingwebhookconfigurations snapshot-retainer",
  ),
];
const AT_HOME = [
  ...rights("get list watch", "core/configmaps snapshot-retainer-policy"),
  ...rights("create", "core/configmaps"),
  ...rights("get list watch patch", "core/configmaps snapshot-retainer-originals"),
  ...rights("create", "core/secrets"),
  ...rights("get list watch update", "core/secrets snapshot-retainer-signing-key"),
];
const ROOM = rights("get list watch create patch", "coordination.k8s.io/leases");
const OWN_CERTIFICATE = rights("get list watch update", "core/secrets snapshot-retainer-tls");

const cases: Record<string, { values: object; everywhere: string[]; atHome: string[] }> = {
  "by default": {
    values: {},
    everywhere: [...EVERYWHERE, ...PUBLISHING],
    atHome: [...AT_HOME, ...ROOM, ...OWN_CERTIFICATE],
  },
  "without a controller to ask for room": {
    values: { controller: { enabled: false } },
    everywhere: [...EVERYWHERE, ...PUBLISHING],
    atHome: [...AT_HOME, ...OWN_CERTIFICATE],
  },
  "without a certificate of our own to keep and publish": {
    values: { certs: { mode: "external", secretName: "theirs" } },
    everywhere: EVERYWHERE,
    atHome: [...AT_HOME, ...ROOM],
  },
  "with another plugin's snapshots": {
    values: {
      policy: {
        snapshotAssociatedObjects: [
          {
            name: "acme",
            group: "backup.acme.io",
            resource: "volumecopies",
            matchLabels: { a: "b" },
            accounts: ["acme"],
            volume: { name: "/spec/volume" },
            snapshotHandle: "/spec/handle",
          },
        ],
      },
    },
    everywhere: [...EVERYWHERE, ...PUBLISHING, ...rights("get list watch", "backup.acme.io/volumecopies")],
    atHome: [...AT_HOME, ...ROOM, ...OWN_CERTIFICATE],
  },
};

describe("the accounts may do exactly what their programs do", { skip }, () => {
  for (const [name, { values, everywhere, atHome }] of Object.entries(cases)) {
    test(name, async () => {
      const objects = await render(helm, { values });
      assert.deepEqual(rightsOf(only(objects, "ClusterRole", NAME)), everywhere.toSorted());
      assert.deepEqual(rightsOf(only(objects, "Role", NAME)), atHome.toSorted());
    });
  }

  test("the controller", async () => {
    const objects = await render(helm);
    assert.deepEqual(
      rightsOf(only(objects, "ClusterRole", CONTROLLER)),
      [
        ...rights("get list watch create patch delete", "snapshot.storage.k8s.io/volumesnapshotcontents"),
        ...rights("get list watch delete", "snapshot.storage.k8s.io/volumesnapshots"),
        ...rights("get list watch patch", "velero.io/datauploads"),
        ...rights("get list watch", "velero.io/backups"),
        ...rights("get list watch", "velero.io/deletebackuprequests"),
        ...rights("get list watch", "velero.io/backupstoragelocations"),
        ...rights("get list watch", "core/persistentvolumeclaims"),
        ...rights("get list watch", "core/persistentvolumes"),
        ...rights("create patch", "core/events"),
      ].toSorted(),
    );
    assert.deepEqual(
      rightsOf(only(objects, "Role", CONTROLLER)),
      [
        ...rights("get list watch", "core/configmaps snapshot-retainer-policy"),
        ...rights("get", "core/secrets snapshot-retainer-signing-key"),
        ...rights("get list watch create patch delete", "coordination.k8s.io/leases"),
      ].toSorted(),
    );
  });

  test("no preset grants a wildcard", async () => {
    for (const preset of PRESETS) {
      for (const role of (await render(helm, { preset })).filter(({ kind }) => kind.endsWith("Role"))) {
        assert.ok(!rightsOf(role).join("\n").includes("*"), `${preset}: ${role.metadata.name}`);
      }
    }
  });
});

function rights(verbs: string, what: string): string[] {
  return verbs.split(" ").map((verb) => `${verb} ${what}`);
}

const Rule = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});

function rightsOf(role: Rendered): string[] {
  const { rules } = z.object({ rules: z.array(Rule) }).parse(role);
  const expanded = rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        (resourceNames ?? [""]).flatMap((name) =>
          rights(verbs.join(" "), `${group === "" ? "core" : group}/${resource} ${name}`.trim()),
        ),
      ),
    ),
  );
  return expanded.toSorted();
}
