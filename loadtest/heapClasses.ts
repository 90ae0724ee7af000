/** What a heap holds, by class: a snapshot of V8's, added up. */

export interface HeapClass {
  count: number;
  /** Without what it refers to. */
  bytes: number;
}

interface Snapshot {
  snapshot: {
    meta: { node_fields: string[]; node_types: [string[]]; edge_fields: string[]; edge_types: [string[]] };
  };
  nodes: number[];
  edges: number[];
  strings: string[];
}

const COUNTED = new Set(['object', 'closure', 'native', 'array', 'string', 'concatenated string', 'code']);
/** Lists and tables that grow with what is in them: named by who holds them. */
const HELD = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Array']);

/** By constructor; Maps, Sets and Arrays by the field that holds them; what is no object by its kind. */
export function heapClasses(json: string): Map<string, HeapClass> {
  const { snapshot, nodes, edges, strings } = JSON.parse(json) as Snapshot;
  const { node_fields, node_types, edge_fields, edge_types } = snapshot.meta;
  const width = node_fields.length;
  const [typeAt, nameAt, sizeAt, edgesAt] = ['type', 'name', 'self_size', 'edge_count'].map((field) =>
    node_fields.indexOf(field),
  ) as [number, number, number, number];
  const [kindAt, labelAt, toAt] = ['type', 'name_or_index', 'to_node'].map((field) =>
    edge_fields.indexOf(field),
  ) as [number, number, number];
  const typeOf = (node: number) => node_types[0][nodes[node + typeAt]!]!;
  const nameOf = (node: number) => strings[nodes[node + nameAt]!]!;

  const holders = new Map<number, string>();
  const tables = new Map<number, number>();
  for (let node = 0, edge = 0; node < nodes.length; node += width) {
    const last = edge + nodes[node + edgesAt]! * edge_fields.length;
    for (; edge < last; edge += edge_fields.length) {
      const kind = edge_types[0][edges[edge + kindAt]!]!;
      const to = edges[edge + toAt]!;
      const label = strings[edges[edge + labelAt]!]!;
      if (kind === 'internal' && label === 'table') tables.set(node, nodes[to + sizeAt]!);
      if ((kind !== 'property' && kind !== 'context') || label === '__proto__' || holders.has(to)) continue;
      if (typeOf(to) === 'object' && HELD.has(nameOf(to)))
        holders.set(to, `${kind === 'context' ? '(closure)' : nameOf(node)}.${label}`);
    }
  }

  const classes = new Map<string, HeapClass>();
  for (let node = 0; node < nodes.length; node += width) {
    const type = typeOf(node);
    if (!COUNTED.has(type)) continue;
    const name = nameOf(node);
    const held = HELD.has(name) ? `${holders.get(node) ?? '(unnamed)'}: ${name}` : name;
    const key =
      type === 'object' || type === 'native' ? held : type === 'closure' ? `function ${name}` : `(${type})`;
    const entry = classes.get(key) ?? { count: 0, bytes: 0 };
    entry.count += 1;
    entry.bytes += nodes[node + sizeAt]! + (tables.get(node) ?? 0);
    classes.set(key, entry);
  }
  return classes;
}

/** What there is more of: `count` in number or `bytes` in size, the most bytes first. */
export function grownClasses(
  before: Map<string, HeapClass>,
  after: Map<string, HeapClass>,
  { count, bytes }: HeapClass,
): { name: string; from: HeapClass; to: HeapClass }[] {
  return [...after]
    .map(([name, to]) => ({ name, from: before.get(name) ?? { count: 0, bytes: 0 }, to }))
    .filter(({ from, to }) => to.count - from.count >= count || to.bytes - from.bytes >= bytes)
    .sort((a, b) => b.to.bytes - b.from.bytes - (a.to.bytes - a.from.bytes));
}
