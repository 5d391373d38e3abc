import { useStore, Value } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { Dialog } from './dialog.js';

interface Question {
  title: string;
  text?: string;
  /** What the confirming button says. */
  action: string;
  isDangerous?: boolean;
  /** Asks for a line of text, beginning with this value. */
  input?: { label: string; value: string };
  answer: (text: string | null) => void;
}

const question = new Value<Question | null>(null);

/** Resolves with the text that was entered, empty for a question without input; null when it was cancelled. */
export function ask(about: Omit<Question, 'answer'>): Promise<string | null> {
  return new Promise((resolve) => {
    const answer = (text: string | null) => {
      question.set(null);
      resolve(text);
    };
    question.set({ ...about, answer });
  });
}

/** Shows the question that is being asked. */
export function AskDialog() {
  const current = useStore(question);
  if (!current) return null;
  const { title, text, action, isDangerous, input, answer } = current;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    answer(String(new FormData(event.currentTarget as HTMLFormElement).get('answer') ?? ''));
  };
  return (
    <Dialog title={title} onClose={() => answer(null)}>
      <form onSubmit={submit}>
        {text && <p>{text}</p>}
        {input && (
          <input
            name="answer"
            aria-label={input.label}
            defaultValue={input.value}
            maxLength={200}
            required
            autofocus
          />
        )}
        <footer>
          <button type="button" onClick={() => answer(null)}>
            {t.cancel}
          </button>
          <button class={isDangerous ? 'danger' : 'primary'}>{action}</button>
        </footer>
      </form>
    </Dialog>
  );
}
