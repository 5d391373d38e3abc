import type { SharedConfig } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { formatNumber, t } from '../i18n/i18n.js';
import { sharedConfigs } from './config-calls.js';
import { ConfigForm } from './config-form.js';
import { TestResult, useConfigTest } from './config-test.js';
import { ask } from '../ui/ask.js';
import { IconButton } from '../ui/buttons.js';
import { Field } from '../ui/form.js';
import { Icon } from '../ui/icons.js';
import { Skeleton } from '../ui/skeleton.js';

/** Model configurations of all users, for administrators. */
export function SharedModels() {
  const [list, setList] = useState<readonly SharedConfig[] | null>(null);
  const [edited, setEdited] = useState<SharedConfig | 'new' | null>(null);
  const read = async () => {
    const found = await report(parley.rest.listSharedConfigs());
    if (found) setList(found.configs);
  };
  useEffect(() => void read(), [edited]);
  if (edited) {
    const config = edited === 'new' ? null : edited;
    return (
      <ConfigForm config={config} calls={sharedConfigs} onClose={() => setEdited(null)}>
        {(errors) => <DailyTokens config={config} errors={errors} />}
      </ConfigForm>
    );
  }
  return (
    <>
      <p class="muted">{t.sharedModelsText}</p>
      {!list && <Skeleton lines={2} />}
      {list?.length === 0 && <p>{t.noSharedModels}</p>}
      <ul class="rows">
        {list?.map((config) => (
          <Row key={config.id} config={config} onEdit={() => setEdited(config)} onChange={read} />
        ))}
      </ul>
      <button type="button" class="primary" onClick={() => setEdited('new')}>
        <Icon name="plus" />
        {t.addModel}
      </button>
    </>
  );
}

function DailyTokens({ config, errors }: { config: SharedConfig | null; errors: Record<string, string> }) {
  return (
    <Field
      name="daily_tokens_per_user"
      type="number"
      label={t.dailyTokens}
      hint={t.dailyTokensHint}
      defaultValue={config?.daily_tokens_per_user ?? undefined}
      errors={errors}
      isOptional
    />
  );
}

interface RowProps {
  config: SharedConfig;
  onEdit: () => void;
  onChange: () => Promise<void>;
}

function Row({ config, onEdit, onChange }: RowProps) {
  const { id, name, model_name, is_default, enabled, key_status, daily_tokens_per_user } = config;
  const test = useConfigTest(sharedConfigs.test);
  const limit = daily_tokens_per_user && t.dailyTokensOf(formatNumber(daily_tokens_per_user));
  return (
    <li class="config">
      <div class="about">
        <strong>{name}</strong> {is_default && <span class="badge">{t.default}</span>}{' '}
        {!enabled && <span class="badge">{t.disabled}</span>}
        <p class="muted">{[name !== model_name && model_name, limit].filter(Boolean).join(' · ')}</p>
        {key_status === 'unreadable' && <p class="error">{t.keyUnreadable}</p>}
        <TestResult test={test} />
      </div>
      <Switches config={config} onChange={onChange} />
      <button type="button" aria-label={t.testNamed(name)} onClick={() => void test.run(id)}>
        {t.test}
      </button>
      <IconButton icon="edit" label={t.editNamed(name)} onClick={onEdit} />
      <IconButton
        icon="trash"
        label={t.actionOn(t.delete, name)}
        onClick={() => void remove(config).then(onChange)}
      />
    </li>
  );
}

function Switches({ config: { id, name, enabled, is_default }, onChange }: Omit<RowProps, 'onEdit'>) {
  const update = (body: { enabled?: boolean; is_default?: boolean }) =>
    void report(parley.rest.updateSharedConfig({ path: { id }, body })).then(onChange);
  const toggle = enabled ? t.disable : t.enable;
  return (
    <>
      <button
        type="button"
        aria-label={t.actionOn(toggle, name)}
        onClick={() => update({ enabled: !enabled })}
      >
        {toggle}
      </button>
      {enabled && !is_default && (
        <button
          type="button"
          aria-label={t.actionOn(t.makeDefault, name)}
          onClick={() => update({ is_default: true })}
        >
          {t.makeDefault}
        </button>
      )}
    </>
  );
}

async function remove({ id, name }: SharedConfig): Promise<void> {
  const title = t.deleteModelTitle(name);
  const answer = await ask({ title, text: t.deleteModelText, action: t.delete, isDangerous: true });
  if (answer !== null) await report(parley.rest.deleteSharedConfig({ path: { id } }));
}
