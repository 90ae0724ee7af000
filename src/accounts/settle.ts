/**
 * Has an account's leaving (`left`) or coming back noticed: caches forget, and who left has their call and matches ended.
 * Called after the commit; where it throws, the sweeper does it again.
 */
export type Settle = (userId: string, left: boolean) => Promise<void>;

/**
 * When it is done once more: a decision or call that was under way while the account left has committed by then, and
 * a process that died in between has somebody to finish its work.
 */
export const SETTLE_AGAIN_MS = 2_000;
