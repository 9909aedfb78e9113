import { Command, Option } from "commander";
import { parseDurationOrOff, parseLogLevel, parsePort } from "../config.ts";
import { signalOfTermination } from "../shutdown.ts";
import { runController } from "./controller.ts";
import type { ControllerConfig } from "./controller.ts";

/** `snapshot-retainer controller`: its flags, each of which the environment can give as well. */
export function controllerCommand(): Command {
  const command = new Command("controller")
    .description("keep, prune and free retained snapshots as the policy says")
    .exitOverride();
  for (const option of flags()) {
    command.addOption(option.env(`SNAPSHOT_RETAINER_${option.name().toUpperCase().replaceAll("-", "_")}`));
  }
  return command.action(async (config: ControllerConfig) => {
    await runController(config, signalOfTermination());
  });
}

/** Often enough to be heard of within the quarter of an hour in which an alert looks, and next to no load. */
const CANARY_EVERY_MS = 5 * 60_000;

function flags(): Option[] {
  return [
    new Option("--kubeconfig <file>", "kubeconfig to use; the Pod's own account where left out"),
    new Option("--namespace <name>", "our own namespace").default("snapshot-retainer"),
    new Option("--host <address>", "address to listen on").default("0.0.0.0"),
    new Option("--probe-port <port>", "plain port of /healthz, /readyz and /metrics")
      .default(8080)
      .argParser(parsePort),
    new Option(
      "--status-port <port>",
      "port of the status page, on the loopback address alone, for kubectl port-forward; no page where left out",
    ).argParser(parsePort),
    new Option("--policy-configmap <name>", "ConfigMap with the policy").default("snapshot-retainer-policy"),
    new Option("--policy-file <file>", "read the policy from a file instead"),
    new Option("--signing-key-secret <name>", "Secret with the webhook's signing key").default(
      "snapshot-retainer-signing-key",
    ),
    new Option("--lease <name>", "Lease that the replicas elect their leader by").default(
      "snapshot-retainer-controller",
    ),
    new Option(
      "--canary-every <duration>",
      "how often the leader tries by a dry run that admission works; off: never",
    )
      .default(CANARY_EVERY_MS, "5m")
      .argParser(parseDurationOrOff),
    new Option("--log-level <level>", "trace, debug, info, warn, error, fatal or silent")
      .default("info")
      .argParser(parseLogLevel),
  ];
}
