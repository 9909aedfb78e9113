import type { Outcome } from "../../src/admission/outcome.ts";
import { readRequest } from "../../src/admission/request.ts";
import type { Rule, Surroundings } from "../../src/admission/rule.ts";
import { INHERITED_ANNOTATION } from "../../src/kube/keys.ts";
import { someSurroundings } from "./context.ts";
import { documentIn } from "./documents.ts";
import { aRequest } from "./request.ts";
import type { RequestParts } from "./request.ts";

/** An outcome in words that a table can hold: a key that is removed says so, a document is read. */
export interface Shown {
  readonly code: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly document?: unknown;
  readonly spec?: unknown;
  readonly warnings?: readonly string[];
}

/** What a rule decides about a request, given what it knows of other objects. */
export function decideBy<T, R>(
  rule: Rule<T, R>,
  parts: RequestParts,
  related: R,
  overrides: Partial<Surroundings> = {},
): Outcome {
  const surroundings = someSurroundings(overrides);
  return rule.decide(readRequest(rule, aRequest(parts), surroundings), related, surroundings);
}

/** What a rule looks up for a request. */
export async function gatherBy<T, R>(
  rule: Rule<T, R>,
  parts: RequestParts,
  lookup: Parameters<Rule<T, R>["gather"]>[1],
  overrides: Partial<Surroundings> = {},
): Promise<R> {
  const surroundings = someSurroundings(overrides);
  return rule.gather(readRequest(rule, aRequest(parts), surroundings), lookup, surroundings);
}

/** An outcome as a table writes it; what is absent or empty is left out. */
export function show({ code, edits, warnings }: Outcome): Shown {
  const { [INHERITED_ANNOTATION]: text, ...annotations } = edits?.annotations ?? {};
  const removed = edits?.annotations !== undefined && INHERITED_ANNOTATION in edits.annotations;
  return {
    code,
    ...part("labels", edits?.labels),
    ...part("annotations", {
      ...annotations,
      ...(removed && text === undefined && { [INHERITED_ANNOTATION]: undefined }),
    }),
    ...(text !== undefined && { document: documentIn(text) }),
    ...(edits?.spec !== undefined && { spec: edits.spec }),
    ...(warnings !== undefined && { warnings }),
  };
}

function part(name: string, edits: Readonly<Record<string, string | undefined>> | undefined): object {
  const entries = Object.entries(edits ?? {}).map(([key, value]) => [key, value ?? "(removed)"] as const);
  return entries.length === 0 ? {} : { [name]: Object.fromEntries(entries) };
}
