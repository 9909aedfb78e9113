/** Items that are handled a little later, many at once. */
export interface Batch<T> {
  /** Never throws; the item is handled within the batch's time. */
  push(item: T): void;
  /** Handles what is waiting now: before metrics are read, and before the process ends. */
  flush(): void;
}

/**
 * Collects items for `ms` milliseconds and handles them in one go. Between two requests the code of logs and metrics
 * has left the processor's caches, and costs several times of what it costs in a loop (docs/performance.md).
 */
export function createBatch<T>(
  handle: (item: T) => void,
  { ms, onError }: { readonly ms: number; readonly onError: (error: unknown) => void },
): Batch<T> {
  let items: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = items;
    items = [];
    for (const item of batch) {
      try {
        handle(item);
      } catch (error) {
        onError(error);
      }
    }
  }
  return {
    push(item) {
      items.push(item);
      timer ??= setTimeout(flush, ms);
    },
    flush,
  };
}
