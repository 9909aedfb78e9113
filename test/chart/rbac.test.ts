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
  ...rights("create", "core/events"),
];
const PUBLISHING = [
  ...rights(
    "get watch patch",
    "admissionregistration.k8s.io/mutatingwebhookconfigurations snapshot-retainer",
  ),
  ...rights(
    "get watch patch",
    "admissionregistration.k8s.io/validatingwebhookconfigurations snapshot-retainer",
  ),
];
const AT_HOME = [
  ...rights("list watch", "core/configmaps snapshot-retainer-policy"),
  ...rights("create", "core/configmaps"),
  ...rights("list watch patch", "core/configmaps snapshot-retainer-originals"),
  ...rights("create", "core/secrets"),
  ...rights("get update", "core/secrets snapshot-retainer-signing-key"),
];
const ROOM = rights("get list watch create patch", "coordination.k8s.io/leases");
const OWN_CERTIFICATE = [
  ...rights("get watch update", "core/secrets snapshot-retainer-tls"),
  // A replica takes its own Lease away when it stops, and those that others left behind when they were killed.
  ...rights("delete", "coordination.k8s.io/leases"),
];

const cases: Record<string, { values: object; everywhere: string[]; atHome: string[] }> = {
  "by default": {
    values: {},
    everywhere: [...EVERYWHERE, ...PUBLISHING],
    atHome: [...AT_HOME, ...ROOM, ...OWN_CERTIFICATE],
  },
  "without a controller to ask for room": {
    values: { controller: { enabled: false } },
    everywhere: [...EVERYWHERE, ...PUBLISHING],
    atHome: [...AT_HOME, ...ROOM, ...OWN_CERTIFICATE],
  },
  "without a controller and with another's certificate": {
    values: { controller: { enabled: false }, certs: { mode: "external", secretName: "theirs" } },
    everywhere: EVERYWHERE,
    atHome: AT_HOME,
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
        ...rights("get list watch patch delete", "snapshot.storage.k8s.io/volumesnapshots"),
        ...rights("list watch patch", "velero.io/datauploads"),
        ...rights("list watch create patch", "velero.io/backups"),
        ...rights("get list watch", "velero.io/datadownloads"),
        ...rights("list watch", "velero.io/deletebackuprequests"),
        ...rights("list watch", "velero.io/backupstoragelocations"),
        ...rights("get list watch patch", "core/persistentvolumeclaims"),
        ...rights("get list watch patch", "core/persistentvolumes"),
        ...rights("get", "storage.k8s.io/storageclasses"),
        ...rights("create", "core/events"),
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

  test("the controller, in Velero's namespaces, for restores", async () => {
    const velero = { namespaces: ["velero", "velero-too"] };
    const roles = (await render(helm, { values: { policy: { velero } } })).filter(
      ({ kind, metadata }) => kind === "Role" && metadata.name === `${CONTROLLER}-restore`,
    );
    assert.deepEqual(
      roles.map(({ metadata }) => metadata["namespace"]),
      velero.namespaces,
    );
    for (const role of roles) {
      assert.deepEqual(
        rightsOf(role),
        [
          ...rights("patch", "velero.io/datadownloads"),
          ...rights("create", "snapshot.storage.k8s.io/volumesnapshots"),
          ...rights("create delete", "core/persistentvolumeclaims"),
          ...rights("list", "core/events"),
        ].toSorted(),
      );
    }
  });

  test("the controller may bind no volume where restores are switched off", async () => {
    const objects = await render(helm, { values: { policy: { restore: { fromRetained: false } } } });
    assert.ok(!rightsOf(only(objects, "ClusterRole", CONTROLLER)).includes("patch core/persistentvolumes"));
    assert.ok(!objects.some(({ metadata }) => metadata.name === `${CONTROLLER}-restore`));
  });

  test("the controller creates no Backup, not even by dry run, where nothing is to be probed", async () => {
    const values = { controller: { canary: { enabled: false } } };
    const granted = rightsOf(only(await render(helm, { values }), "ClusterRole", CONTROLLER));
    assert.ok(!granted.includes("create velero.io/backups"));
  });

  test("no preset grants a wildcard", async () => {
    for (const preset of PRESETS) {
      for (const role of (await render(helm, { preset })).filter(({ kind }) => kind.endsWith("Role"))) {
        assert.ok(!rightsOf(role).join("\n").includes("*"), `${preset}: ${role.metadata.name}`);
      }
    }
  });

  test("the webhook, in Velero's namespaces, for restores", async () => {
    const velero = { namespaces: ["velero", "velero-too"] };
    const reading = rights("list", "core/configmaps");
    for (const [fromRetained, more] of [[true, reading] as const, [false, []] as const]) {
      const objects = await render(helm, { values: { policy: { velero, restore: { fromRetained } } } });
      const ofVelero = objects.filter(({ metadata }) => metadata.name === `${NAME}-velero`);
      for (const kind of ["Role", "RoleBinding"]) {
        const namespaces = ofVelero
          .filter((object) => object.kind === kind)
          .map(({ metadata }) => metadata["namespace"]);
        assert.deepEqual(namespaces, velero.namespaces);
      }
      for (const role of ofVelero.filter(({ kind }) => kind === "Role")) {
        assert.deepEqual(
          rightsOf(role),
          [...rights("list patch", "velero.io/datadownloads"), ...more].toSorted(),
        );
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
