/** Every entity: the list that MikroORM is given. */
import { AuditEntry } from './AuditEntry.ts';
import { BanTag } from './BanTag.ts';
import { Block } from './Block.ts';
import { Call } from './Call.ts';
import { CallJournal } from './CallJournal.ts';
import { Consent } from './Consent.ts';
import { DataKey } from './DataKey.ts';
import { Device } from './Device.ts';
import { EmailToken } from './EmailToken.ts';
import { Match } from './Match.ts';
import { OutboxEvent } from './OutboxEvent.ts';
import { PairDecision } from './PairDecision.ts';
import { Photo } from './Photo.ts';
import { PushSubscription } from './PushSubscription.ts';
import { Registration } from './Registration.ts';
import { Report } from './Report.ts';
import { Session } from './Session.ts';
import { User } from './User.ts';

export const entities = [
  AuditEntry,
  BanTag,
  Block,
  Call,
  CallJournal,
  Consent,
  DataKey,
  Device,
  EmailToken,
  Match,
  OutboxEvent,
  PairDecision,
  Photo,
  Registration,
  PushSubscription,
  Report,
  Session,
  User,
];
