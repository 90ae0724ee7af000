/**
 * How each connection to PostgreSQL is kept: what lies between forgets one that is silent for some minutes (NAT, load
 * balancers), and tells nobody. Left to the system, the first probe would be sent after two hours.
 */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;
