import { Command, Option } from "commander";
import { parseDuration, parseLogLevel, parsePort, parseSeconds } from "../config.ts";
import type { WebhookConfig } from "../config.ts";
import { DEFAULT_CIPHERS } from "../server/tls.ts";
import { signalOfTermination } from "../shutdown.ts";
import { runWebhook } from "./webhook.ts";

/** `snapshot-retainer webhook`: its flags, each of which the environment can give as well. */
export function webhookCommand(): Command {
  const command = new Command("webhook").description("serve the admission webhook").exitOverride();
  for (const option of [
    ...placeFlags(),
    ...certificateFlags(),
    ...connectionFlags(),
    ...objectFlags(),
    ...runFlags(),
  ]) {
    // --tls-secret is SNAPSHOT_RETAINER_TLS_SECRET in the environment.
    command.addOption(option.env(`SNAPSHOT_RETAINER_${option.name().toUpperCase().replaceAll("-", "_")}`));
  }
  return command.action(async (config: WebhookConfig) => {
    await runWebhook(config, signalOfTermination());
  });
}

function placeFlags(): Option[] {
  return [
    new Option("--kubeconfig <file>", "kubeconfig to use; the Pod's own account where left out"),
    new Option("--namespace <name>", "our own namespace").default("snapshot-retainer"),
    new Option("--host <address>", "address to listen on").default("0.0.0.0"),
    new Option("--port <port>", "HTTPS port of the webhook").default(8443).argParser(parsePort),
    new Option("--probe-port <port>", "plain port of /healthz, /readyz and /metrics")
      .default(8080)
      .argParser(parsePort),
  ];
}

function certificateFlags(): Option[] {
  return [
    new Option("--cert-mode <mode>", "self: we make the certificate; files: somebody else does")
      .choices(["self", "files"])
      .default("self"),
    new Option("--tls-secret <name>", "self: Secret for the CA and the certificate").default(
      "snapshot-retainer-tls",
    ),
    new Option("--dns-name <name...>", "self: DNS names and IPs of the certificate")
      .default([])
      .argParser(collect),
    new Option("--webhook-configuration <name>", "self: configurations that get the caBundle"),
    new Option(
      "--rotate-every <duration>",
      "self: renew the CA this often, for drills; two thirds of its life where left out",
    ).argParser(parseDuration),
    new Option("--tls-cert <file>", "files: the certificate, reloaded when it changes"),
    new Option("--tls-key <file>", "files: its private key"),
  ];
}

function connectionFlags(): Option[] {
  return [
    new Option("--tls-min-version <version>", "oldest version of TLS that is taken")
      .choices(["TLSv1.2", "TLSv1.3"])
      .default("TLSv1.2"),
    new Option(
      "--tls-ciphers <list>",
      "ciphers that are taken, in OpenSSL's names with colons between",
    ).default(DEFAULT_CIPHERS),
    new Option(
      "--client-ca <file>",
      "CA of the certificate that the API server has to show; anybody may connect where left out",
    ),
    new Option(
      "--client-name <name...>",
      "names of that certificate, one of which it has to have; any where left out",
    )
      .default([])
      .argParser(collect),
  ];
}

function objectFlags(): Option[] {
  return [
    new Option("--policy-configmap <name>", "ConfigMap with the policy").default("snapshot-retainer-policy"),
    new Option("--policy-file <file>", "read the policy from a file instead"),
    new Option("--signing-key-secret <name>", "Secret for the signing key").default(
      "snapshot-retainer-signing-key",
    ),
    new Option("--originals-configmap <name>", "ConfigMap that remembers originals").default(
      "snapshot-retainer-originals",
    ),
    new Option(
      "--controller-lease <name>",
      "Lease that the retention controller holds; empty: there is none",
    ).default("snapshot-retainer-controller"),
    new Option("--own-account <user...>", "usernames of our own ServiceAccounts")
      .default([])
      .argParser(collect),
  ];
}

function runFlags(): Option[] {
  return [
    new Option("--drain-seconds <seconds>", "how long to serve on after SIGTERM")
      .default(15)
      .argParser(parseSeconds),
    new Option("--log-level <level>", "trace, debug, info, warn, error, fatal or silent")
      .default("info")
      .argParser(parseLogLevel),
  ];
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, ...value.split(",").filter((part) => part !== "")];
}
