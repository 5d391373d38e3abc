import { useEffect } from 'preact/hooks';
import { forgetDrafts } from './client/drafts.js';
import { forgetFirst } from './client/first-messages.js';
import { parley } from './client/parley.js';
import { startNewChat } from './client/route.js';
import { useStore } from './client/store.js';
import { notice } from './client/notices.js';
import { t } from './i18n/i18n.js';
import { SignIn } from './screens/sign-in.js';
import { Workspace } from './screens/workspace.js';
import { AskDialog } from './ui/ask.js';
import { NoticeBar } from './ui/notice-bar.js';

/** Shows the workspace of the user who is signed in, else the form to sign in. */
export function App() {
  const { status, user } = useStore(parley.auth);
  useEffect(
    () =>
      parley.auth.onSignedOut((reason) => {
        forgetDrafts();
        forgetFirst();
        startNewChat();
        notice.set(reason === 'session_ended' ? t.sessionEnded : null);
      }),
    [],
  );
  return (
    <>
      {status === 'loading' && <p class="sr-only">{t.loading}</p>}
      {status === 'signed-out' && <SignIn />}
      {user && <Workspace key={user.id} user={user} />}
      <AskDialog />
      <NoticeBar />
    </>
  );
}
