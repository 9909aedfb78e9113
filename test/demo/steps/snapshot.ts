import { aClaim, aVolumeSnapshot } from "../../e2e/objects.ts";
import type { Stored } from "../../e2e/api.ts";
import { VELERO } from "../../e2e/velero.ts";
import type { Stage } from "../stage.ts";

/** A volume exists, and Velero takes a snapshot of it. */
export async function takeSnapshot(
  stage: Stage,
  backup: Stored,
): Promise<{ readonly claim: Stored; readonly snapshot: Stored }> {
  stage.step(
    "Velero takes a snapshot of a volume",
    "The volume is the claim data in the namespace prod-shop. Velero creates a VolumeSnapshot of it, as always; it " +
      "knows nothing of us.",
  );
  const claim = await createClaim(stage);
  const manifest = aVolumeSnapshot({ claim, backup: backup.metadata.name });
  const snapshot = await stage.create("volumesnapshot.yaml", manifest, { as: VELERO });
  stage.screen.conclude(
    "Two labels now tell which snapshot this is (a random alias) and of which volume. The annotation holds all that " +
      "copies of this object must inherit, signed, so that nobody can make one up.",
  );
  return { claim, snapshot };
}

async function createClaim(stage: Stage): Promise<Stored> {
  await stage.cluster.kubectl(["create", "namespace", "prod-shop"]);
  const labels = { app: "shop", tier: "gold" };
  const manifest = aClaim({ name: "data", namespace: "prod-shop", labels });
  await stage.kubectl([
    "create",
    "-f",
    await stage.write("claim.yaml", JSON.stringify(manifest, undefined, 2)),
  ]);
  const bound = "--for=jsonpath={.status.phase}=Bound";
  await stage.cluster.kubectl(["wait", "pvc/data", "-n=prod-shop", bound, "--timeout=60s"]);
  return stage.api.read(manifest);
}
