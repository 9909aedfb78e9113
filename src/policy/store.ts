import type { RetentionPolicy } from "./schema.ts";
import { formatProblem, parsePolicy } from "./parse.ts";

/** What is told of a policy document that was seen. */
export type PolicyNews =
  | { readonly kind: "loaded"; readonly policy: RetentionPolicy }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "missing"; readonly message: string };

/** The policy in force: the last valid document that was seen. */
export interface PolicyStore {
  current(): RetentionPolicy | undefined;
  /** Takes a document's text, or undefined when there is none; the same text again is no news. */
  offer(text: string | undefined): void;
}

/** A store without a policy; `where` names the source in messages. A bad document never takes effect. */
export function createPolicyStore(where: string, onNews: (news: PolicyNews) => void): PolicyStore {
  let policy: RetentionPolicy | undefined;
  let last: { text: string | undefined } | undefined;
  return {
    current: () => policy,
    offer(text) {
      if (last !== undefined && last.text === text) {
        return;
      }
      last = { text };
      if (text === undefined) {
        const kept =
          policy === undefined
            ? "nothing is retained or labelled until there is one"
            : "the last good policy stays in force";
        onNews({ kind: "missing", message: `${where} does not exist or has no key policy.yaml: ${kept}` });
        return;
      }
      const parsed = parsePolicy(text);
      if (parsed.kind === "invalid") {
        const kept = policy === undefined ? "no policy is in force" : "the last good policy stays in force";
        onNews({
          kind: "invalid",
          message: `${where}: ${parsed.problems.map(formatProblem).join("; ")}: ${kept}`,
        });
        return;
      }
      policy = parsed.policy;
      onNews({ kind: "loaded", policy });
    },
  };
}
