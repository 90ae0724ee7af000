/** PostgreSQL's code of a transaction that was taken back because two waited for each other. */
const DEADLOCK = '40P01';
const TRIES = 4;

/** Runs a transaction, and runs it again when a deadlock took it back, whole: nobody who asked for it needs to know. */
export async function retryDeadlocks<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      const isDeadlock = error instanceof Error && 'code' in error && error.code === DEADLOCK;
      if (!isDeadlock || attempt === TRIES) throw error;
    }
  }
}
