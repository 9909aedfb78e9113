import { matchesGlob } from "../policy/glob.ts";
import type { RetentionPolicy } from "../policy/schema.ts";

/** Who makes a request, as far as it matters to us. */
export type Account = "own" | "velero" | "data-mover" | "other";

/**
 * Sorts a username. Velero's accounts are those of the policy, else every ServiceAccount of Velero's
 * namespaces: its server, plugins, node-agent and mover pods share one there, under a name each installer chooses.
 */
export function accountOf(username: string, policy: RetentionPolicy, own: readonly string[]): Account {
  if (own.includes(username)) {
    return "own";
  }
  if (veleroAccounts(policy).some((glob) => matchesGlob(username, glob))) {
    return "velero";
  }
  return policy.dataMovers.accounts.some((glob) => matchesGlob(username, glob)) ? "data-mover" : "other";
}

/** The globs of Velero's accounts that are in force. */
export function veleroAccounts(policy: RetentionPolicy): readonly string[] {
  const { accounts, namespaces } = policy.velero;
  return accounts ?? namespaces.map((namespace) => `system:serviceaccount:${namespace}:*`);
}
