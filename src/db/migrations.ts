/** The migrations in order. Released ones are never changed; a new one goes to the end. */
import { Migration0001House } from './migrations/0001House.ts';
import { Migration0002Accounts } from './migrations/0002Accounts.ts';
import { Migration0003People } from './migrations/0003People.ts';
import { Migration0004Idempotency } from './migrations/0004Idempotency.ts';
import { Migration0005Audience } from './migrations/0005Audience.ts';
import { Migration0006Push } from './migrations/0006Push.ts';
import { Migration0007CommandIds } from './migrations/0007CommandIds.ts';
import { Migration0008WideAreas } from './migrations/0008WideAreas.ts';
import { Migration0009Tallies } from './migrations/0009Tallies.ts';
import { Migration0010DeviceKeys } from './migrations/0010DeviceKeys.ts';
import { Migration0011Months } from './migrations/0011Months.ts';
import { Migration0012AccountLife } from './migrations/0012AccountLife.ts';
import { Migration0013AdminSearch } from './migrations/0013AdminSearch.ts';
import { Migration0014RecentEvents } from './migrations/0014RecentEvents.ts';
import { Migration0015Cohorts } from './migrations/0015Cohorts.ts';
import { Migration0016PushSessions } from './migrations/0016PushSessions.ts';
import { Migration0017AuditChain } from './migrations/0017AuditChain.ts';
import { Migration0018Consents } from './migrations/0018Consents.ts';
import { Migration0019DataKeys } from './migrations/0019DataKeys.ts';
import { Migration0020NextSeals } from './migrations/0020NextSeals.ts';
import { Migration0021Counted } from './migrations/0021Counted.ts';
import { Migration0022KeyHolders } from './migrations/0022KeyHolders.ts';
import { Migration0024Sightings } from './migrations/0024Sightings.ts';
import { Migration0025ListedBlocks } from './migrations/0025ListedBlocks.ts';
import { Migration0026CoarseSlack } from './migrations/0026CoarseSlack.ts';
import { Migration0027AuditAction } from './migrations/0027AuditAction.ts';

export const migrations = [
  Migration0001House,
  Migration0002Accounts,
  Migration0003People,
  Migration0004Idempotency,
  Migration0005Audience,
  Migration0006Push,
  Migration0007CommandIds,
  Migration0008WideAreas,
  Migration0009Tallies,
  Migration0010DeviceKeys,
  Migration0011Months,
  Migration0012AccountLife,
  Migration0013AdminSearch,
  Migration0014RecentEvents,
  Migration0015Cohorts,
  Migration0016PushSessions,
  Migration0017AuditChain,
  Migration0018Consents,
  Migration0019DataKeys,
  Migration0020NextSeals,
  Migration0021Counted,
  Migration0022KeyHolders,
  Migration0024Sightings,
  Migration0025ListedBlocks,
  Migration0026CoarseSlack,
  Migration0027AuditAction,
];
