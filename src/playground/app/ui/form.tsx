import { ParleyError } from '@parley/client';
import type { ComponentProps } from 'preact';
import { useId, useState } from 'preact/hooks';
import { messageOf } from '../client/notices.js';
import { t } from '../i18n/i18n.js';

interface FormState {
  isBusy: boolean;
  /** What is wrong, by field. */
  errors: Record<string, string>;
  /** What is wrong with the form as a whole. */
  problem: string | null;
}

const IDLE: FormState = { isBusy: false, errors: {}, problem: null };

type Values = Record<string, string>;

/** Submits a form's values, and holds what the server says about them. */
export function useForm(submit: (values: Values) => Promise<unknown>) {
  const [state, setState] = useState(IDLE);
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const refuse = (refused: FormState) => {
      setState(refused);
      inputsOf(form)
        .find(({ name }) => name in refused.errors)
        ?.focus();
    };
    const missing = inputsOf(form).filter(({ validity }) => validity.valueMissing);
    if (missing.length > 0) return refuse({ ...IDLE, errors: required(missing) });
    setState({ ...IDLE, isBusy: true });
    try {
      await submit(Object.fromEntries(new FormData(form)) as Values);
      setState(IDLE);
    } catch (error) {
      refuse(failure(error));
    }
  };
  return { ...state, onSubmit };
}

const inputsOf = (form: HTMLFormElement) => [...form.elements] as HTMLInputElement[];

const required = (inputs: HTMLInputElement[]) =>
  Object.fromEntries(inputs.map(({ name }) => [name, t.fieldRequired]));

function failure(error: unknown): FormState {
  const fields = error instanceof ParleyError ? error.errors : [];
  const errors = Object.fromEntries(
    fields.map(({ field, message }) => [field, t.fieldError(field, message)]),
  );
  return { isBusy: false, errors, problem: fields.length > 0 ? null : messageOf(error) };
}

export function Problem({ text }: { text: string | null }) {
  return (
    <p class="problem" role="alert">
      {text}
    </p>
  );
}

interface FieldProps {
  name: string;
  label: string;
  /** Makes it a text area of this height. */
  rows?: number;
  type?: 'text' | 'email' | 'number' | 'password' | 'url';
  hint?: string;
  /** Says that it may be empty. */
  isOptional?: boolean;
  /** By default unless it is optional or a text area. */
  required?: boolean;
  errors?: Record<string, string>;
  autocomplete?: 'off' | 'username' | 'email' | 'current-password' | 'new-password' | 'one-time-code';
  autofocus?: boolean;
  defaultValue?: string | number;
  placeholder?: string;
  spellcheck?: boolean;
}

/** A labelled input with its hint and its error. */
export function Field({ label, hint, isOptional, errors = {}, ...input }: FieldProps) {
  const id = useId();
  const error = errors[input.name];
  const about = { 'aria-invalid': Boolean(error), 'aria-describedby': `${id}-about` };
  const props = { id, required: !isOptional && !input.rows, ...about, ...input };
  return (
    <div class="field">
      <label for={id}>
        {label}
        {isOptional && <span class="muted"> ({t.optional})</span>}
      </label>
      {input.rows ? (
        <textarea {...(props as ComponentProps<'textarea'>)} />
      ) : (
        <input {...(props as ComponentProps<'input'>)} />
      )}
      <p id={`${id}-about`} class={error ? 'error' : 'hint'}>
        {error ?? hint}
      </p>
    </div>
  );
}

export const CurrentPassword = ({ errors }: { errors: Record<string, string> }) => (
  <Field
    name="current_password"
    type="password"
    label={t.currentPassword}
    autocomplete="current-password"
    errors={errors}
  />
);
