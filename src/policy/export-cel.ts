import { LIMIT_ANNOTATION, REQUESTED_LIMIT_ANNOTATION, VELERO_SCHEDULE_NAME_LABEL } from "../kube/keys.ts";
import { globalNumber, ruleNumber, schedulesOf } from "./limit.ts";
import type { RetentionPolicy } from "./schema.ts";

/** Kubernetes' own admission, from 1.36 on stable. */
const API_VERSION = "admissionregistration.k8s.io/v1";

/**
 * The part of a policy that needs nothing but the object at hand, as a MutatingAdmissionPolicy and its binding: the number on new
 * Backups. Labels that have to be the same on several objects, and everything about snapshots, need more than CEL can see.
 */
export function exportCel(policy: RetentionPolicy, name: string): object[] {
  const labels = {
    "app.kubernetes.io/part-of": "snapshot-retainer",
    "velero.io/exclude-from-backup": "true",
  };
  return [
    {
      apiVersion: API_VERSION,
      kind: "MutatingAdmissionPolicy",
      metadata: { name, labels },
      spec: {
        failurePolicy: "Ignore",
        reinvocationPolicy: "IfNeeded",
        matchConstraints: {
          namespaceSelector: {
            matchExpressions: [
              { key: "kubernetes.io/metadata.name", operator: "In", values: [...policy.velero.namespaces] },
            ],
          },
          resourceRules: [
            { apiGroups: ["velero.io"], apiVersions: ["v1"], resources: ["backups"], operations: ["CREATE"] },
          ],
        },
        matchConditions: [
          {
            name: "moves-data",
            expression: "!has(object.spec) || object.spec.?snapshotMoveData.orValue(true)",
          },
          // A Backup that Velero found in object storage has a phase.
          { name: "is-new", expression: 'object.?status.phase.orValue("") in ["", "New"]' },
        ],
        variables: [
          {
            name: "schedule",
            expression: `object.metadata.?labels[${cel(VELERO_SCHEDULE_NAME_LABEL)}].orValue("")`,
          },
          { name: "asked", expression: `object.metadata.?annotations[${cel(LIMIT_ANNOTATION)}].orValue("")` },
          { name: "wanted", expression: wantedNumber(policy) },
          { name: "stays", expression: mayStay(policy) },
        ],
        mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: PATCH } }],
      },
    },
    {
      apiVersion: API_VERSION,
      kind: "MutatingAdmissionPolicyBinding",
      metadata: { name, labels },
      spec: { policyName: name },
    },
  ];
}

/** As `backupNumber` decides: the first rule that asks for nothing but a schedule, else the policy's own number. */
function wantedNumber(policy: RetentionPolicy): string {
  const choices = policy.rules.flatMap((rule) => {
    const schedules = schedulesOf(rule);
    const number = cel(String(ruleNumber(rule).number));
    return schedules === undefined
      ? []
      : [`variables.schedule.matches(${cel(schedules.map(regularExpression).join("|"))}) ? ${number} : `];
  });
  return `${choices.join("")}${cel(String(globalNumber(policy).number))}`;
}

/** Whether the number that a user wrote stays; such a number is digits, with a sign perhaps. */
function mayStay({ backupAnnotation }: RetentionPolicy): string {
  const isNumber = `variables.asked.matches(${cel("^[+-]?[0-9]{1,9}$")})`;
  const asked = 'int(variables.asked.startsWith("+") ? variables.asked.substring(1) : variables.asked)';
  switch (backupAnnotation) {
    case "enforce":
      return "false";
    case "cap":
      return `${isNumber} && ${asked} < int(variables.wanted)`;
    case "default":
      return `${isNumber} && ${asked} != int(variables.wanted)`;
  }
}

const KEY = `"/metadata/annotations/" + jsonpatch.escapeKey(${cel(LIMIT_ANNOTATION)})`;
const REQUESTED_KEY = `"/metadata/annotations/" + jsonpatch.escapeKey(${cel(REQUESTED_LIMIT_ANNOTATION)})`;

const PATCH = `
(has(object.metadata.annotations) ? [] : [JSONPatch{op: "add", path: "/metadata/annotations", value: {}}]) +
(variables.stays
  ? [JSONPatch{op: "add", path: ${REQUESTED_KEY}, value: variables.asked}]
  : [JSONPatch{op: "add", path: ${KEY}, value: variables.wanted}])
`.trim();

/** A CEL string literal, which JSON's is, too. */
function cel(text: string): string {
  return JSON.stringify(text);
}

/** A glob as a regular expression of the whole text: RE2, whose time is linear. */
function regularExpression(glob: string): string {
  const escaped = glob.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return `^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`;
}
