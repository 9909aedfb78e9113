import * as z from "zod";
import { createSigner } from "../admission/signer.ts";
import type { Signer } from "../admission/signer.ts";
import { ConfigMap, POLICY_KEY } from "../kube/policy-source.ts";
import { ApiError } from "../kube/rest.ts";
import type { Rest } from "../kube/rest.ts";
import { InvalidInput } from "../review/documents.ts";
import type { Reader } from "./collections.ts";

/** Objects a page; the API server's own chunk size for kubectl. */
const PAGE = 500;

const Page = z.object({
  metadata: z.object({ continue: z.string().optional() }).nullish(),
  items: z.array(z.unknown()).nullish(),
});

/** Reads collections from a cluster, page by page. A kind that the cluster does not have is empty. */
export function readCluster(rest: Pick<Rest, "get">): Reader {
  return async ({ path, view, kind }) => {
    const objects: unknown[] = [];
    let next: string | undefined;
    do {
      const query = new URLSearchParams({
        limit: String(PAGE),
        ...(next !== undefined && { continue: next }),
      });
      const page = Page.parse((await rest.get(`${path}?${query.toString()}`)) ?? {});
      objects.push(...(page.items ?? []));
      next = page.metadata?.continue;
    } while (next !== undefined && next !== "");
    return objects.map((object) => {
      const parsed = view.safeParse(object);
      if (!parsed.success) {
        throw new InvalidInput(`a ${kind} of the cluster cannot be read: ${z.prettifyError(parsed.error)}`);
      }
      return parsed.data;
    });
  };
}

/** The policy document of the ConfigMap; throws `InvalidInput` where there is none. */
export async function policyOf(rest: Pick<Rest, "get">, namespace: string, name: string): Promise<string> {
  const found = await rest.get(
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps/${encodeURIComponent(name)}`,
  );
  const text = ConfigMap.safeParse(found).data?.data?.[POLICY_KEY];
  if (text === undefined) {
    throw new InvalidInput(
      `ConfigMap ${namespace}/${name} does not exist or has no key ${POLICY_KEY}: name it with --namespace and --policy-configmap, or give a file with --policy`,
    );
  }
  return text;
}

const Secret = z.object({ data: z.object({ key: z.base64() }) });

/** The key that documents are signed with; undefined where there is none, or this account may not read it. */
export async function signerOf(
  rest: Pick<Rest, "get">,
  namespace: string,
  name: string,
): Promise<Signer | undefined> {
  try {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;
    const secret = Secret.safeParse(await rest.get(path)).data;
    return secret && createSigner(Buffer.from(secret.data.key, "base64"));
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      return undefined;
    }
    throw error;
  }
}
