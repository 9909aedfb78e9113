import { validatePolicy } from "../admission/validate-policy.ts";
import type { Decision } from "./admission.ts";

/** How POST /validate-policy is decided: a policy ConfigMap that is not valid is denied, with the line and the reason. */
export function createPolicyValidation(policyKey: string): Decision {
  return {
    decide(request) {
      const { allowed, code, message } = validatePolicy(request, policyKey);
      return {
        answer: { allowed, auditAnnotations: { code }, ...(message === undefined ? {} : { message }) },
        outcome: { code },
        result: allowed ? "unchanged" : "denied",
      };
    },
    unreadable({ code, message }) {
      const warnings = [`snapshot-retainer: not checked, since ${message}`];
      return { answer: { allowed: true, warnings }, outcome: { code, warnings }, result: "failed_open" };
    },
  };
}
