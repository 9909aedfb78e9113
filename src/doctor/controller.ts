import { LEASE_SECONDS, Lease } from "../kube/lease.ts";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

const said = createFindings("controller");

/** Whether a controller leads. */
export async function checkController({ rest, namespace, name, now }: Setting): Promise<Finding[]> {
  const lease = `${name}-controller`;
  const path = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases/${encodeURIComponent(lease)}`;
  return [judgeLease(Lease.safeParse(await rest.get(path)).data, `${namespace}/${lease}`, now())];
}

/** Judges the Lease by which the controllers elect their leader; `now` in milliseconds since 1970. */
export function judgeLease(lease: Lease | undefined, where: string, now: number): Finding {
  const fix = `kubectl --namespace ${where.replace(/\/.*/, "")} get pods,events; kubectl logs tells what it waits for`;
  const { holderIdentity, leaseDurationSeconds, renewTime } = lease?.spec ?? {};
  if ((holderIdentity ?? "") === "") {
    const why = lease === undefined ? "does not exist" : "has no holder";
    return said.failed(`nobody leads: Lease ${where} ${why}`, fix);
  }
  const seconds = leaseDurationSeconds ?? LEASE_SECONDS;
  const age = Math.round((now - Date.parse(renewTime ?? "")) / 1000);
  // The clock here may differ from the holder's.
  if (age <= seconds * 2) {
    return said.ok(`${holderIdentity} leads`);
  }
  const message = `nobody leads: ${holderIdentity} renewed the Lease ${where} ${age} s ago, and it holds for ${seconds} s`;
  return said.failed(message, fix);
}
