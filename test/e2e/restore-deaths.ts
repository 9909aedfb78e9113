import assert from "node:assert/strict";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import type { Bed } from "./retention-bed.ts";

/** A process that a restore may need. */
export type Victim = "webhook" | "controller" | "node-agent" | "server";

/** Kills these at once, starts successors, and returns when they are ready. */
export async function replace({ product, velero }: Bed, victims: readonly Victim[]): Promise<void> {
  await Promise.all(
    victims.map(async (victim) => {
      if (victim === "server" || victim === "node-agent") {
        velero.kill(victim, "SIGKILL");
        await velero.start(victim);
        return;
      }
      const running = victim === "webhook" ? product.running() : product.runningControllers();
      await Promise.all(running.map(async (each) => each.stop("SIGKILL")));
      await (await (victim === "webhook" ? product.startReplica() : product.startController())).ready();
    }),
  );
}

/** All objects are created, and what is left is the data's. */
export async function waitsForData({ api, velero }: Bed, restore: string): Promise<void> {
  await eventually(
    `${restore} waits for its data`,
    async () => {
      const { status } = await api.read({
        apiVersion: "velero.io/v1",
        kind: "Restore",
        metadata: { name: restore, namespace: velero.namespace },
      });
      const begun = ["", "New", "InProgress", undefined];
      assert.ok(!begun.some((phase) => phase === status["phase"]));
    },
    PATIENCE_MS,
  );
}
