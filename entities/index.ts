/** Every entity: the list that MikroORM is given. */
import { Block } from './Block.ts';
import { Call } from './Call.ts';
import { CallJournal } from './CallJournal.ts';
import { Match } from './Match.ts';
import { OutboxEvent } from './OutboxEvent.ts';
import { PairDecision } from './PairDecision.ts';
import { Photo } from './Photo.ts';
import { Report } from './Report.ts';
import { User } from './User.ts';

export const entities = [Block, Call, CallJournal, Match, OutboxEvent, PairDecision, Photo, Report, User];
