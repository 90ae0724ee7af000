/** One sign-in of somebody who complained. */
export interface ReporterSession {
  reporterId: string;
  /** Null: none is known. */
  deviceId: string | null;
  /** The network that an address was cut down to; null or `unknown`: none is known. */
  network: string | null;
}

/**
 * How many independent people these are: whoever shares a device or a network with another counts as the same one, also
 * by way of a third. A household or an office then counts once; that costs a suspension at times, and never makes one.
 */
export function countIndependent(sessions: readonly ReporterSession[]): number {
  const parents = new Map<string, string>();
  const rootOf = (node: string): string => {
    let root = node;
    for (let above = parents.get(root); above !== undefined && above !== root; above = parents.get(root))
      root = above;
    return root;
  };
  const join = (one: string, other: string) => parents.set(rootOf(other), rootOf(one));
  const reporters = new Set<string>();
  for (const { reporterId, deviceId, network } of sessions) {
    const reporter = `reporter ${reporterId}`;
    reporters.add(reporter);
    if (deviceId !== null) join(reporter, `device ${deviceId}`);
    if (network !== null && network !== 'unknown') join(reporter, `network ${network}`);
  }
  return new Set([...reporters].map(rootOf)).size;
}
