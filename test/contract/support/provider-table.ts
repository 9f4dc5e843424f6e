/**
 * What the four hosted services promise their users, as a table: the rows, and which services fill
 * them. Every filled cell has a test; the last test of each service sees to it.
 */

const everyService = ['Nebius', 'NetMind', 'DeepInfra', 'Inference.net'] as const;
const allButNetMind = ['Nebius', 'DeepInfra', 'Inference.net'] as const;

const table = {
  'base path': everyService,
  endpoints: everyService,
  'line rules': everyService,
  'requests per file': allButNetMind,
  'file size': allButNetMind,
  'files and batches': ['Nebius', 'DeepInfra'],
  'completion window': everyService,
  'create accepts': everyService,
  'told when done': everyService,
  'auth header': everyService,
  list: everyService,
  cancel: everyService,
  'result line': everyService,
  'line order': allButNetMind,
  expiry: allButNetMind,
  price: ['Nebius', 'NetMind', 'DeepInfra'],
  'rate limits': allButNetMind,
  files: everyService,
  'first status': everyService,
} as const satisfies Readonly<Record<string, readonly Service[]>>;

type Service = (typeof everyService)[number];
type Row = keyof typeof table;
/** The rows that a service fills. */
type RowOf<S extends Service> = {
  [R in Row]: S extends (typeof table)[R][number] ? R : never;
}[Row];

export interface Cells<R extends string> {
  /** The row's name, to begin the title of a test of that cell with. */
  readonly cell: (row: R) => string;
  /** The rows of the service that no title begins with. */
  readonly untested: () => readonly string[];
}

export function cellsOf<S extends Service>(service: S): Cells<RowOf<S>> {
  const titled = new Set<string>();
  return {
    cell: (row) => {
      titled.add(row);
      return row;
    },
    untested: () =>
      Object.entries<readonly Service[]>(table)
        .filter(([row, services]) => services.includes(service) && !titled.has(row))
        .map(([row]) => row),
  };
}
