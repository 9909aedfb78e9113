import { ConfigMap, POLICY_KEY } from "../kube/policy-source.ts";
import { formatProblem, parsePolicy } from "../policy/parse.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

const said = createFindings("policy");

/** The policy as it is in the cluster, if it can be read, and what is to be said of it. */
export async function checkPolicy({ rest, namespace, name }: Setting): Promise<{
  readonly policy: RetentionPolicy | undefined;
  readonly findings: readonly Finding[];
}> {
  const configMap = `${name}-policy`;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps/${encodeURIComponent(configMap)}`;
  const text = ConfigMap.safeParse(await rest.get(path)).data?.data?.[POLICY_KEY];
  if (text === undefined) {
    const fix = `install the chart, or name where it is with --namespace and --name: helm list -A | grep snapshot-retainer`;
    const message = `no ConfigMap ${namespace}/${configMap} with the key ${POLICY_KEY}`;
    return { policy: undefined, findings: [said.failed(message, fix)] };
  }
  return judgePolicy(text, `ConfigMap ${namespace}/${configMap}`);
}

/** Judges a policy document; `from` says where it stands. */
export function judgePolicy(
  text: string,
  from: string,
): { readonly policy: RetentionPolicy | undefined; readonly findings: readonly Finding[] } {
  const parsed = parsePolicy(text);
  if (parsed.kind === "invalid") {
    const [problem] = parsed.problems;
    const message = `${from} is not valid, an earlier one is in force: ${problem === undefined ? "" : formatProblem(problem)}`;
    const fix = "correct it and apply it again; docs/policy.md has all fields";
    return { policy: undefined, findings: [said.failed(message, fix)] };
  }
  const { policy } = parsed;
  return { policy, findings: [judgeMode(policy, from), ...judgeNumbers(policy)] };
}

function judgeMode({ mode }: RetentionPolicy, from: string): Finding {
  switch (mode) {
    case "enforce":
      return said.ok(`${from} is valid, mode enforce`);
    case "audit":
      return said.warning(
        `${from}: mode audit, so nothing is changed and nothing is retained`,
        "set policy.mode: enforce when you have seen enough",
      );
    case "paused":
      return said.warning(
        `${from}: mode paused, so no snapshot is freed`,
        "set policy.mode: enforce when that is over",
      );
  }
}

function judgeNumbers({ snapshotsToRetain, rules }: RetentionPolicy): Finding[] {
  const numbers = [snapshotsToRetain, ...rules.map((rule) => rule.snapshotsToRetain)];
  return numbers.some((number) => number > 0)
    ? []
    : [
        said.warning(
          "no number is above 0, so no snapshot is retained",
          "set policy.snapshotsToRetain, or a rule's",
        ),
      ];
}
