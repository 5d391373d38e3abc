import type { Config } from '@parley/client';
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { refreshConfigs } from '../client/configs.js';
import { report } from '../client/notices.js';
import { t } from '../i18n/i18n.js';
import { Field, Problem, useForm } from '../ui/form.js';
import type { ConfigBody, ConfigCalls } from './config-calls.js';
import { TestResult, useConfigTest } from './config-test.js';
import { ProviderModels } from './provider-models.js';
import { PROVIDERS } from './providers.js';

interface ConfigFormProps {
  /** Null for a new one. */
  config: Config | null;
  calls: ConfigCalls;
  onClose: () => void;
  /** More fields. */
  children?: (errors: Record<string, string>) => ComponentChildren;
}

/** Saves a configuration, then tests it and reads the provider's models. */
export function ConfigForm({ config, calls, onClose, children }: ConfigFormProps) {
  const [saved, setSaved] = useState(config);
  const [models, setModels] = useState<readonly string[] | null>(null);
  const test = useConfigTest(calls.test);
  const form = useRef<HTMLFormElement>(null);
  const { errors, problem, isBusy, onSubmit } = useForm(async (values) => {
    const body = bodyOf(values, saved);
    const stored = await (saved ? calls.update(saved.id, body) : calls.create(body));
    setSaved(stored);
    void report(refreshConfigs());
    void test.run(stored.id);
    if (calls.listModels) setModels(await modelsOf(calls.listModels(stored.id)));
  });
  return (
    <form ref={form} onSubmit={onSubmit} noValidate>
      <h3>{saved ? t.editModel : t.addModel}</h3>
      {!saved && <Presets form={form} />}
      <Fields saved={saved} errors={errors} />
      {children?.(errors)}
      {models && <ProviderModels models={models} form={form} />}
      <Problem text={problem} />
      <TestResult test={test} />
      <footer>
        <button type="button" onClick={onClose}>
          {saved ? t.close : t.cancel}
        </button>
        <button class="primary" disabled={isBusy}>
          {t.saveAndTest}
        </button>
      </footer>
    </form>
  );
}

interface FieldsProps {
  saved: Config | null;
  errors: Record<string, string>;
}

function Fields({ saved, errors }: FieldsProps) {
  return (
    <>
      <Field
        name="model_url"
        type="url"
        label={t.modelUrl}
        hint={t.modelUrlHint}
        placeholder="https://api.openai.com/v1"
        defaultValue={saved?.model_url ?? undefined}
        errors={errors}
        autofocus
      />
      <Field
        name="api_key"
        type="password"
        label={t.apiKey}
        hint={saved ? t.apiKeyKept : t.apiKeyHint}
        autocomplete="off"
        errors={errors}
        isOptional
      />
      <Field
        name="model_name"
        label={t.modelName}
        autocomplete="off"
        spellcheck={false}
        defaultValue={saved?.model_name}
        errors={errors}
      />
      <Advanced saved={saved} errors={errors} />
    </>
  );
}

function Advanced({ saved, errors }: FieldsProps) {
  return (
    <details>
      <summary>{t.advanced}</summary>
      <Field name="name" label={t.configName} defaultValue={saved?.name} errors={errors} isOptional />
      <Field
        name="context_tokens"
        type="number"
        label={t.contextTokens}
        defaultValue={saved?.context_tokens}
        errors={errors}
        isOptional
      />
      <label class="check">
        <input type="checkbox" name="is_default" defaultChecked={saved?.is_default} /> {t.isDefault}
      </label>
    </details>
  );
}

/** Fills in the URL of a known provider. */
function Presets({ form }: { form: { current: HTMLFormElement | null } }) {
  const fill = (url: string) => {
    const { elements } = form.current!;
    (elements.namedItem('model_url') as HTMLInputElement).value = url;
    (elements.namedItem('api_key') as HTMLInputElement).focus();
  };
  return (
    <div class="presets" role="group" aria-label={t.providers}>
      {PROVIDERS.map(({ name, url }) => (
        <button key={name} type="button" class="pill" onClick={() => fill(url)}>
          {name}
        </button>
      ))}
    </div>
  );
}

/** Leaves out what is empty, and a default that would be taken back. */
function bodyOf(values: Record<string, string>, saved: Config | null): ConfigBody {
  const { model_url = '', model_name = '', api_key, name, context_tokens, is_default } = values;
  const { daily_tokens_per_user: daily_tokens } = values;
  return {
    model_url: model_url.trim(),
    model_name: model_name.trim(),
    ...(api_key && { api_key }),
    ...(name?.trim() && name !== saved?.name && { name: name.trim() }),
    ...(context_tokens && { context_tokens: Number(context_tokens) }),
    ...(is_default && { is_default: true }),
    ...(daily_tokens !== undefined && { daily_tokens_per_user: daily_tokens ? Number(daily_tokens) : null }),
  };
}

/** Providers without a list of models are common; the test says more about one that fails. */
async function modelsOf(list: Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await list;
  } catch {
    return [];
  }
}
