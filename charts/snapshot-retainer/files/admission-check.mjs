// The check behind `helm test`: waits until the webhook is ready, then creates a Backup by server-side dry run, as a user
// would, and looks for what admission made of it. That proves the whole chain: API server, network, certificate, policy.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const { API_SERVER, TOKEN_FILE, READY_URL, BACKUP_NAMESPACE, POLICY_MODE } = process.env;
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

async function waitUntilReady(url, deadline) {
  for (;;) {
    const answer = await fetch(url).then(
      async (response) => (response.ok ? undefined : `${response.status} ${await response.text()}`),
      (error) => String(error.cause ?? error),
    );
    if (answer === undefined) {
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(`${url} is not ready: ${answer}`);
    }
    await sleep(1000);
  }
}

async function createBackupByDryRun() {
  const url = `${API_SERVER}/apis/velero.io/v1/namespaces/${BACKUP_NAMESPACE}/backups?dryRun=All`;
  const token = (await readFile(TOKEN_FILE, "utf8")).trim();
  const backup = {
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: { generateName: "snapshot-retainer-test-", namespace: BACKUP_NAMESPACE },
    spec: { snapshotMoveData: true },
  };
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(backup) });
  const body = await response.json();
  if (!response.ok) {
    throw new Error(`the API server refused the Backup: ${response.status} ${body.message}`);
  }
  return { warning: response.headers.get("warning") ?? "", annotations: body.metadata.annotations ?? {} };
}

function check({ warning, annotations }) {
  if (POLICY_MODE === "audit") {
    if (!warning.includes("audit mode")) {
      throw new Error("policy mode audit: the API server passed no warning on, so the webhook was not asked");
    }
    return `policy mode audit: ${warning}`;
  }
  if (annotations[LIMIT] === undefined) {
    throw new Error(
      `the Backup came back without the annotation ${LIMIT}: the webhook was not asked, or gave up`,
    );
  }
  return `the Backup came back with ${LIMIT}: "${annotations[LIMIT]}"`;
}

try {
  if (READY_URL) {
    await waitUntilReady(READY_URL, Date.now() + 60_000);
    console.log("the webhook is ready");
  }
  console.log(check(await createBackupByDryRun()));
} catch (error) {
  console.error(`FAILED: ${error.message}`);
  process.exitCode = 1;
}
