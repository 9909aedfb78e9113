const FACTORS: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that a Kubernetes quantity stands for (apimachinery pkg/api/resource); undefined for any other text. */
export function quantityOf(text: string): number | undefined {
  const [, digits, exponent = "", suffix = ""] =
    /^\+?(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d+)|(m|k|[KMGTPE]i|[MGTPE]))?$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits + exponent) * (FACTORS[suffix] ?? 1);
}

/** The larger of a claim's request and a size in bytes, as a quantity: a volume must hold all of its snapshot. */
export function atLeast(request: string, bytes: number): string {
  return (quantityOf(request) ?? 0) >= bytes ? request : String(bytes);
}
