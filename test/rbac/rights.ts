import * as z from "zod";
import type { Rendered } from "../chart/chart.ts";
import type { Call } from "../cluster/recorded-calls.ts";

/** One verb on one resource, as a role grants it to an account. */
export interface Right {
  readonly account: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** The only object that it holds for; undefined for all. */
  readonly name: string | undefined;
  /** The only namespace that it holds in; undefined for all, and for what has none. */
  readonly namespace: string | undefined;
}

const Rule = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
type Rule = z.infer<typeof Rule>;

const Role = z.object({ rules: z.array(Rule) });

const Binding = z.object({
  roleRef: z.object({ kind: z.enum(["Role", "ClusterRole"]), name: z.string() }),
  subjects: z.array(z.object({ kind: z.literal("ServiceAccount"), name: z.string() })),
});

/** Every right that rendered roles grant through their bindings; throws for a binding that leads nowhere. */
export function rightsOf(objects: readonly Rendered[]): Right[] {
  return objects
    .filter(({ kind }) => kind === "RoleBinding" || kind === "ClusterRoleBinding")
    .flatMap((object) => {
      const { roleRef, subjects } = Binding.parse(object);
      const namespace = object.kind === "RoleBinding" ? object.metadata.namespace : undefined;
      const role = objects.find(
        ({ kind, metadata }) =>
          kind === roleRef.kind &&
          metadata.name === roleRef.name &&
          (kind === "ClusterRole" || metadata.namespace === namespace),
      );
      if (role === undefined) throw new Error(`${object.kind} ${object.metadata.name}: no ${roleRef.kind}`);
      return Role.parse(role).rules.flatMap((rule) =>
        subjects.flatMap(({ name: account }) =>
          expand(rule).map((right) => ({ account, ...right, namespace })),
        ),
      );
    });
}

function expand(rule: Rule): Omit<Right, "account" | "namespace">[] {
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        (rule.resourceNames ?? [undefined]).map((name) => ({ verb, group, resource, name })),
      ),
    ),
  );
}

/** Whether a right is what RBAC lets a call through by. */
export function covers(right: Right, call: Call): boolean {
  return (
    right.account === call.account &&
    right.verb === call.verb &&
    right.group === call.group &&
    right.resource === call.resource &&
    (right.name === undefined || right.name === call.name) &&
    (right.namespace === undefined || right.namespace === call.namespace)
  );
}

/** The calls that no right covers, and the rights that cover no call, in words and each once. */
export function compare(
  calls: readonly Call[],
  rights: readonly Right[],
): { readonly notGranted: string[]; readonly notUsed: string[] } {
  const notGranted = calls.filter((call) => !rights.some((right) => covers(right, call)));
  const notUsed = rights.filter((right) => !calls.some((call) => covers(right, call)));
  return { notGranted: inWords(notGranted), notUsed: inWords(notUsed) };
}

function inWords(list: readonly (Call | Right)[]): string[] {
  const texts = list.map(({ account, verb, group, resource, name = "", namespace = "" }) =>
    `${account}: ${verb} ${group === "" ? "core" : group}/${resource} ${name} in "${namespace}"`.replace(
      "  ",
      " ",
    ),
  );
  return [...new Set(texts)].toSorted();
}
