import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Stage } from "../stage.ts";

/** The admin asks what is kept, and why. */
export async function showPlan(stage: Stage): Promise<void> {
  const { cluster, screen } = stage;
  stage.step(
    "The admin asks what is kept, and why",
    "The same code that decides in the controller, for this cluster or for a dump of one; it changes nothing.",
  );
  const color = screen.hasColors ? "--color" : "--no-color";
  screen.command("snapshot-retainer plan");
  const args = ["src/main.ts", "plan", "--kubeconfig", cluster.kubeconfig, color];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  screen.print(`\n${stdout}`);
}
