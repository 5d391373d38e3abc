/** DOM helpers shared by the views. */

export const byId = (id) => document.getElementById(id);

/** Creates an element. Strings become text nodes. */
export function h(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Opens a dialog that edits `text`, or only confirms if `text` is undefined. @returns null if cancelled */
export function ask(question, ok, text) {
  const dialog = byId('ask');
  const answer = byId('ask-answer');
  byId('ask-question').textContent = question;
  byId('ask-ok').textContent = ok;
  answer.hidden = text === undefined;
  answer.value = text ?? '';
  dialog.returnValue = '';
  byId('ask-cancel').onclick = () => dialog.close();
  dialog.showModal();
  answer.select();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === 'ok' ? answer.value : null);
  });
}

/** Calls `submit(fields)` on submission and shows validation errors beside their fields. */
export function onSubmit(form, submit) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = form.querySelector('[type=submit]');
    showProblem(form, null);
    button.disabled = true;
    try {
      await submit(Object.fromEntries(new FormData(form)));
    } catch (error) {
      showProblem(form, error);
    } finally {
      button.disabled = false;
    }
  });
}

export function showProblem(form, error) {
  const faults = error?.problem?.errors ?? [];
  const code = error?.problem?.code;
  for (const input of form.querySelectorAll('input')) {
    const messages = faults.filter((fault) => fault.field === input.name).map((fault) => fault.message);
    if (code === `${input.name}_taken`) messages.push(error.message);
    markField(input, messages.join(' '));
  }
  const alert = form.querySelector('.error[role=alert]');
  const shown = form.querySelector('[aria-invalid=true]');
  alert.textContent = error && !shown ? error.message : '';
  alert.hidden = !alert.textContent;
  shown?.focus();
}

function markField(input, message) {
  const id = `${input.id}-error`;
  byId(id)?.remove();
  input.setAttribute('aria-invalid', String(Boolean(message)));
  input.setAttribute('aria-describedby', message ? id : '');
  if (message) input.after(h('p', { id, className: 'error' }, message));
}
