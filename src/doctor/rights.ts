import * as z from "zod";
import { ApiError } from "../kube/rest.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

/** What one of our accounts has to be allowed. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Empty for everywhere. */
  readonly namespace: string;
  /** Empty for any. */
  readonly name: string;
}

/** Both of our accounts, by the names that the chart gives them. */
export type Account = "webhook" | "controller";

/** What the accounts need, by the chart's default values; more is asked for by some values, and is not looked at here. */
export function rightsNeeded(
  { namespace, name }: Pick<Setting, "namespace" | "name">,
  { velero, restore }: Pick<RetentionPolicy, "velero" | "restore">,
): Record<Account, Right[]> {
  const everywhere = { namespace: "" };
  const atHome = { namespace };
  const bringsBack = restore.fromRetained;
  return {
    webhook: [
      ...rights("get list watch", "snapshot.storage.k8s.io/volumesnapshots", everywhere),
      ...rights("get list watch", "snapshot.storage.k8s.io/volumesnapshotcontents", everywhere),
      ...rights("get list watch", "velero.io/backups", everywhere),
      ...rights("get list watch", "velero.io/datauploads", everywhere),
      ...rights("get", "/persistentvolumeclaims", everywhere),
      ...rights("get", "/persistentvolumes", everywhere),
      ...rights("create", "/events", everywhere),
      ...rights("list watch", "/configmaps", { ...atHome, name: `${name}-policy` }),
      ...rights("list watch patch", "/configmaps", { ...atHome, name: `${name}-originals` }),
      ...rights("get update", "/secrets", { ...atHome, name: `${name}-signing-key` }),
      ...rights("get list watch create patch", "coordination.k8s.io/leases", atHome),
    ],
    controller: [
      ...rights(
        "get list watch create patch delete",
        "snapshot.storage.k8s.io/volumesnapshotcontents",
        everywhere,
      ),
      ...rights("get list watch patch delete", "snapshot.storage.k8s.io/volumesnapshots", everywhere),
      ...rights("list watch patch", "velero.io/datauploads", everywhere),
      ...rights("list watch patch", "velero.io/backups", everywhere),
      ...rights("get list watch", "velero.io/datadownloads", everywhere),
      ...rights("list watch", "velero.io/deletebackuprequests", everywhere),
      ...rights("list watch", "velero.io/backupstoragelocations", everywhere),
      ...rights("get list watch", "/persistentvolumeclaims", everywhere),
      ...rights("get list watch", "/persistentvolumes", everywhere),
      ...rights("create", "/events", everywhere),
      ...rights("get list watch", "/configmaps", { ...atHome, name: `${name}-policy` }),
      ...rights("get", "/secrets", { ...atHome, name: `${name}-signing-key` }),
      ...rights("get list watch create patch delete", "coordination.k8s.io/leases", atHome),
      ...(bringsBack ? velero.namespaces.flatMap(restoringIn) : []),
      ...(bringsBack
        ? [
            ...rights("patch", "/persistentvolumeclaims", everywhere),
            ...rights("patch", "/persistentvolumes", everywhere),
            ...rights("get", "storage.k8s.io/storageclasses", everywhere),
          ]
        : []),
    ],
  };
}

function restoringIn(namespace: string): Right[] {
  return [
    ...rights("patch", "velero.io/datadownloads", { namespace }),
    ...rights("create", "snapshot.storage.k8s.io/volumesnapshots", { namespace }),
    ...rights("create delete", "/persistentvolumeclaims", { namespace }),
    ...rights("list", "/events", { namespace }),
  ];
}

function rights(
  verbs: string,
  what: string,
  { namespace, name = "" }: { readonly namespace: string; readonly name?: string },
): Right[] {
  const [group = "", resource = ""] = what.split("/");
  return verbs.split(" ").map((verb) => ({ verb, group, resource, namespace, name }));
}

const said = createFindings("rights");
const Answer = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Whether our accounts may do what they have to, as the API server's authorizer sees it. */
export async function checkRights(setting: Setting, policy: RetentionPolicy): Promise<Finding[]> {
  const needed = rightsNeeded(setting, policy);
  try {
    return await Promise.all(
      (["webhook", "controller"] as const).map(async (account) => {
        const missing = await missingRights(setting, account, needed[account]);
        return judgeRights(
          `${setting.namespace}/${setting.name}-${account}`,
          missing,
          needed[account].length,
        );
      }),
    );
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) {
      return [said.skipped("this user may not ask (create subjectaccessreviews), so nobody looked")];
    }
    throw error;
  }
}

async function missingRights(
  { rest, namespace, name }: Setting,
  account: Account,
  needed: readonly Right[],
): Promise<Right[]> {
  const user = `system:serviceaccount:${namespace}:${name}-${account}`;
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  const answers = await Promise.all(
    needed.map(async (right) => {
      const body = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: { user, groups, resourceAttributes: right },
      };
      const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
      return Answer.parse(await rest.call("POST", path, { body })).status.allowed;
    }),
  );
  return needed.filter((_, index) => answers[index] === false);
}

/** Judges what an account lacks of so many rights. */
export function judgeRights(account: string, missing: readonly Right[], asked: number): Finding {
  if (missing.length === 0) {
    return said.ok(`ServiceAccount ${account} has all of ${asked} rights`);
  }
  const fix =
    "helm upgrade brings the chart's roles and bindings back; with rbac.create: false grant them yourself";
  return said.failed(`ServiceAccount ${account} may not ${missing.map(inWords).join("; ")}`, fix);
}

function inWords({ verb, group, resource, namespace, name }: Right): string {
  const what = `${resource}${group === "" ? "" : `.${group}`}${name === "" ? "" : ` ${name}`}`;
  return `${verb} ${what}${namespace === "" ? "" : ` in ${namespace}`}`;
}
