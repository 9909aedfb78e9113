import { ALIAS_LABEL, VOLUME_NAME_LABEL } from "../../../src/kube/keys.ts";
import { aClaim, anOrdinarySnapshot } from "../../e2e/objects.ts";
import type { Stored } from "../../e2e/api.ts";
import type { Stage } from "../stage.ts";

const NAMESPACE = "dev-mallory";
const MALLORY = `system:serviceaccount:${NAMESPACE}:mallory`;

/** Somebody who may take snapshots in a namespace of their own pretends that one is of another's volume. */
export async function removeForgery(stage: Stage, content: Stored): Promise<void> {
  stage.step(
    "A tenant forges the labels of somebody else's volume",
    "Labels tell which snapshot is of which volume, and so which one has to go. Mallory may create snapshots in a " +
      "namespace of his own, and writes the labels of the shop's volume on one.",
  );
  await createTenant(stage);
  const { labels } = content.metadata;
  const forged = {
    [ALIAS_LABEL]: labels[ALIAS_LABEL] ?? "",
    [VOLUME_NAME_LABEL]: labels[VOLUME_NAME_LABEL] ?? "",
  };
  const manifest = anOrdinarySnapshot({
    namespace: NAMESPACE,
    claim: "scratch",
    labels: { app: "dev", ...forged },
  });
  await stage.create(
    "forged.yaml",
    { ...manifest, metadata: { ...manifest.metadata, name: "mine" } },
    { as: MALLORY },
  );
  stage.screen.conclude(
    "He gets his snapshot and keeps his own label; the forged ones are gone, and he was told.",
  );
}

async function createTenant(stage: Stage): Promise<void> {
  const rbac = "rbac.authorization.k8s.io";
  const snapshots = {
    apiGroups: ["snapshot.storage.k8s.io"],
    resources: ["volumesnapshots"],
    verbs: ["create"],
  };
  const metadata = { name: "mallory", namespace: NAMESPACE };
  const items = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: `${rbac}/v1`, kind: "Role", metadata, rules: [snapshots] },
    {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: rbac, kind: "Role", name: "mallory" },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
    },
    aClaim({ name: "scratch", namespace: NAMESPACE }),
  ];
  const list = { apiVersion: "v1", kind: "List", items };
  await stage.cluster.kubectl([
    "create",
    "-f",
    await stage.write("tenant.yaml", JSON.stringify(list, undefined, 2)),
  ]);
}
