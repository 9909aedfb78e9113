import type { HandlerContext } from "../../src/admission/handler.ts";
import type { Surroundings } from "../../src/admission/rule.ts";
import { SIGNER } from "./documents.ts";
import { aLookup } from "./lookup.ts";
import { aPolicy } from "./policy.ts";
import { OWN } from "./request.ts";

/** What decisions see besides the request; random identifiers count up from 1. */
export function aContext(overrides: Partial<HandlerContext> = {}): HandlerContext {
  return { ...surroundings(), policy: aPolicy(), lookup: aLookup(), ownAccounts: [OWN], ...overrides };
}

/** The same for a rule's pure decision, which always has a policy. */
export function someSurroundings(
  overrides: Partial<Surroundings> = {},
): Surroundings & { readonly ownAccounts: readonly string[] } {
  return { ...surroundings(), policy: aPolicy(), ownAccounts: [OWN], ...overrides };
}

function surroundings(): Omit<Surroundings, "policy"> {
  let count = 0;
  return {
    policyLocation: "ConfigMap snapshot-retainer/snapshot-retainer-policy",
    signer: SIGNER,
    randomId: () => {
      count += 1;
      return `00000000-0000-4000-8000-${String(count).padStart(12, "0")}`;
    },
    hasRetainSnapshotField: false,
    controllerAlive: true,
  };
}
