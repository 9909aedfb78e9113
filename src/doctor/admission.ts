import { namespacesToProbe, probe } from "../controller/canary.ts";
import type { CanaryResult } from "../controller/canary.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

const said = createFindings("admission");

/** Whether a Backup that is created comes back with what the webhook adds; by dry run, so that nothing is stored. */
export async function checkAdmission({ rest }: Setting, policy: RetentionPolicy): Promise<Finding[]> {
  const namespaces = namespacesToProbe(policy);
  if (namespaces.length === 0) {
    return [said.skipped("in mode audit nothing is changed, so there is nothing to look for")];
  }
  const signal = AbortSignal.timeout(60_000);
  return Promise.all(
    namespaces.map(async (namespace) => judgeProbe(await probe(namespace, { rest, signal }))),
  );
}

/** Judges what came of one dry run. */
export function judgeProbe(result: CanaryResult): Finding {
  const { namespace } = result;
  switch (result.kind) {
    case "mutated":
      return said.ok(`a Backup in ${namespace} gets its number (dry run)`);
    case "unmutated":
      return said.failed(
        `a Backup in ${namespace} comes back unchanged (dry run): the API server did not ask, or got no answer and went on`,
        "what failed above is the likely cause; else look for another namespaceSelector or matchConditions than the chart's, and at the API server's log for \"failed calling webhook\"",
      );
    case "failed":
      return said.failed(
        `a Backup in ${namespace} is refused (dry run): ${result.reason}`,
        "if it says forbidden, this user may not create Backups there, and somebody who may has to look; if it says failed calling webhook, what failed above is the likely cause",
      );
  }
}
