/** The sign-in card: sign up or log in. */

import { logIn, register } from './api.js';
import { byId, onSubmit, showProblem } from './dom.js';

const TEXTS = {
  'sign-up': ['Sign up', 'Have an account?', 'Log in', 'new-password'],
  'log-in': ['Log in', 'New here?', 'Sign up', 'current-password'],
};

const form = byId('sign-in');
let mode;

export function setUpSignIn() {
  byId('switch-mode').onclick = () => setMode(mode === 'sign-up' ? 'log-in' : 'sign-up');
  onSubmit(form, async (fields) => {
    await (mode === 'sign-up' ? register(fields) : logIn(fields));
    form.reset();
    setMode('log-in');
  });
  setMode('sign-up');
}

function setMode(next) {
  mode = next;
  const [name, question, other, autocomplete] = TEXTS[mode];
  form.querySelector('h1').textContent = name;
  form.querySelector('[type=submit]').textContent = name;
  form.querySelector('.switch span').textContent = question;
  byId('switch-mode').textContent = other;
  byId('si-password').autocomplete = autocomplete;
  for (const part of form.querySelectorAll('[data-mode]')) part.hidden = part.dataset.mode !== mode;
  showProblem(form, null);
}
