import { render } from 'preact';
import { App } from './App.tsx';
import { resume } from './store/session.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/dialogs.css';
import './styles/shell.css';
import './styles/welcome.css';
import './styles/deck.css';
import './styles/moment.css';
import './styles/matches.css';
import './styles/you.css';
import './styles/call.css';
import './styles/callParts.css';
import './styles/incoming.css';

render(<App />, document.getElementById('app')!);
void resume();
