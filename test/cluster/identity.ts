import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";

import type { ApiClient } from "./api-client.ts";

/** Where the API server is, for whoever writes a kubeconfig. */
export interface Endpoint {
  readonly server: string;
  readonly caFile: string;
}

/** A kubeconfig that talks to the endpoint with the token. JSON is YAML, so kubectl and client libraries read it. */
export function kubeconfig(endpoint: Endpoint, user: string, token: string, namespace = "default"): string {
  const cluster = { server: endpoint.server, "certificate-authority": endpoint.caFile };
  const document = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "cluster", cluster }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: user, context: { cluster: "cluster", user, namespace } }],
    "current-context": user,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

const Kubeconfig = z.object({ users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]) });

/** The token in a kubeconfig file as it is written here. */
export async function tokenIn(file: string): Promise<string> {
  const { users } = Kubeconfig.parse(JSON.parse(await readFile(file, "utf8")));
  return users[0].user.token;
}

/** Asks the API server for a token of the ServiceAccount, writes a kubeconfig with it and returns the file. */
export async function writeServiceAccountKubeconfig(
  client: ApiClient,
  endpoint: Endpoint,
  directory: string,
  account: { readonly namespace: string; readonly name: string },
): Promise<string> {
  const { namespace, name } = account;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const answer = await client.post(path, { spec: { expirationSeconds: TOKEN_SECONDS } });
  if (answer.status !== 201) {
    throw new Error(`no token for ServiceAccount ${namespace}/${name}: ${answer.status} ${answer.body}`);
  }
  const { token } = TokenRequest.parse(JSON.parse(answer.body)).status;
  const file = join(directory, `${namespace}-${name}.kubeconfig`);
  await writeFile(file, kubeconfig(endpoint, `${namespace}-${name}`, token, namespace), { mode: 0o600 });
  return file;
}

const TokenRequest = z.object({ status: z.object({ token: z.string() }) });

// A day: longer than any cluster of ours lives, so that nothing has to renew it.
const TOKEN_SECONDS = 86_400;
