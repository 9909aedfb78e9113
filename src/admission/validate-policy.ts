import * as z from "zod";
import { formatProblem, parsePolicy } from "../policy/parse.ts";
import type { Code } from "./outcome.ts";
import type { AdmissionRequest } from "./review.ts";

const PolicyConfigMap = z.object({ data: z.record(z.string(), z.string()).nullish() });

/** Whether a policy ConfigMap may be written, and the sentence that says what is wrong with it. */
export interface PolicyVerdict {
  readonly allowed: boolean;
  readonly code: Code;
  readonly message?: string;
}

/** Checks the policy document inside a ConfigMap: the one place where this product denies anything. */
export function validatePolicy(request: AdmissionRequest, key: string): PolicyVerdict {
  const configMap = PolicyConfigMap.safeParse(request.object);
  if (!configMap.success) {
    return { allowed: true, code: "policy_unchecked" };
  }
  const text = new Map(Object.entries(configMap.data.data ?? {})).get(key);
  if (text === undefined) {
    return { allowed: false, code: "policy_invalid", message: `the policy ConfigMap needs the key ${key}` };
  }
  const parsed = parsePolicy(text);
  return parsed.kind === "policy"
    ? { allowed: true, code: "policy_valid" }
    : {
        allowed: false,
        code: "policy_invalid",
        message: `${key}: ${parsed.problems.map(formatProblem).join("; ")}`,
      };
}
