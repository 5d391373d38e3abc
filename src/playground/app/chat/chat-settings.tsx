import type { Conversation } from '@parley/client';
import { useId, useState } from 'preact/hooks';
import { draftSettings } from '../client/drafts.js';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { Dialog } from '../ui/dialog.js';
import { Field, Problem, useForm } from '../ui/form.js';
import { ConfigOptions } from './config-select.js';

interface ChatSettingsProps {
  /** Absent for a new chat. */
  conversation?: Conversation;
}

export function ChatSettingsButton({ conversation }: ChatSettingsProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <IconButton icon="gear" label={t.chatSettings} onClick={() => setOpen(true)} />
      {isOpen && <ChatSettings conversation={conversation} onClose={() => setOpen(false)} />}
    </>
  );
}

/** The model and the system prompt of a chat. */
function ChatSettings({ conversation, onClose }: ChatSettingsProps & { onClose: () => void }) {
  const draft = useStore(draftSettings);
  const before = conversation ?? draft;
  const [configId, setConfigId] = useState(before.config_id);
  const modelField = useId();
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ system_prompt }) => {
    const settings = { config_id: configId, system_prompt: system_prompt?.trim() || null };
    if (conversation) await parley.conversations.update(conversation.id, settings);
    else draftSettings.set(settings);
    onClose();
  });
  return (
    <Dialog title={t.chatSettings} onClose={onClose}>
      <form onSubmit={onSubmit}>
        <div class="field">
          <label for={modelField}>{t.model}</label>
          <ConfigOptions id={modelField} value={configId} onChange={setConfigId} />
        </div>
        <Field
          name="system_prompt"
          rows={6}
          label={t.systemPrompt}
          hint={t.systemPromptHint}
          defaultValue={before.system_prompt ?? ''}
          errors={errors}
          autofocus
        />
        <Problem text={problem} />
        <footer>
          <button type="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button class="primary" disabled={isBusy}>
            {t.save}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
