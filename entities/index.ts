/** Every entity: the list that MikroORM is given. */
import { AuditChain } from './AuditChain.ts';
import { AuditEntry } from './AuditEntry.ts';
import { BannedPhoto } from './BannedPhoto.ts';
import { BanTag } from './BanTag.ts';
import { Block } from './Block.ts';
import { Call } from './Call.ts';
import { CallJournal } from './CallJournal.ts';
import { Consent } from './Consent.ts';
import { DataKey } from './DataKey.ts';
import { Device } from './Device.ts';
import { EmailToken } from './EmailToken.ts';
import { IdempotencyKey } from './IdempotencyKey.ts';
import { Inbox } from './Inbox.ts';
import { LikeCount } from './LikeCount.ts';
import { LiveCall } from './LiveCall.ts';
import { MailboxMail } from './MailboxMail.ts';
import { Match } from './Match.ts';
import { OutboxEvent } from './OutboxEvent.ts';
import { PairDecision } from './PairDecision.ts';
import { Photo } from './Photo.ts';
import { Place } from './Place.ts';
import { PlaceTally } from './PlaceTally.ts';
import { PushSubscription } from './PushSubscription.ts';
import { Registration } from './Registration.ts';
import { Report } from './Report.ts';
import { Session } from './Session.ts';
import { ShowCount } from './ShowCount.ts';
import { Sighting } from './Sighting.ts';
import { User } from './User.ts';

export const entities = [
  AuditChain,
  AuditEntry,
  BanTag,
  BannedPhoto,
  Block,
  Call,
  CallJournal,
  Consent,
  DataKey,
  Device,
  EmailToken,
  IdempotencyKey,
  Inbox,
  LikeCount,
  LiveCall,
  MailboxMail,
  Match,
  OutboxEvent,
  PairDecision,
  Photo,
  Place,
  PlaceTally,
  PushSubscription,
  Registration,
  Report,
  Session,
  ShowCount,
  Sighting,
  User,
];
