import { calls } from '../store/calls.ts';
import { useStore } from '../store/Store.ts';
import { CallEnded } from './CallEnded.tsx';
import { CallScreen } from './CallScreen.tsx';
import { Dialling } from './Dialling.tsx';
import { IncomingCall } from './IncomingCall.tsx';

/** Everything about calls, over whatever page is shown. */
export function CallLayer() {
  const { incoming, current, ended } = useStore(calls);
  return (
    <>
      {current?.session && (
        <CallScreen key={current.session.id} session={current.session} peer={current.peer} />
      )}
      {current && !current.session && <Dialling peer={current.peer} outgoing={current.outgoing} />}
      {ended && !current && <CallEnded ended={ended} />}
      {incoming && <IncomingCall call={incoming.call} from={incoming.from} />}
    </>
  );
}
