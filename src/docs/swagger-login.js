/** Adds a login to Swagger UI, which authorizes its calls and refreshes the access token. */
'use strict';

const form = document.createElement('form');
form.setAttribute('aria-label', 'Log in');
form.style.cssText =
  'display:flex;gap:8px;align-items:center;max-width:1420px;margin:16px auto;padding:0 20px;font:14px sans-serif';
form.innerHTML = `
  <input name="email" type="email" placeholder="Email" aria-label="Email" autocomplete="username" required>
  <input name="password" type="password" placeholder="Password" aria-label="Password" autocomplete="current-password" required>
  <input name="code" placeholder="Code" aria-label="Code" autocomplete="one-time-code" hidden>
  <button>Log in and authorize</button>
  <output role="status"></output>`;
document.body.prepend(form);

const [email, password, code, button, status] = form.children;
let timer;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  const secondFactor = code.value && { code: code.value };
  await authorize('auth/login', { email: email.value, password: password.value, ...secondFactor });
  button.disabled = false;
});

/** Refreshes a minute before the access token expires. */
async function authorize(path, body) {
  clearTimeout(timer);
  try {
    const { access_token, refresh_token, expires_in } = await post(path, body);
    window.ui.preauthorizeApiKey('bearer', access_token);
    password.value = code.value = '';
    code.hidden = true;
    status.textContent = `Calls are authorized as ${email.value}.`;
    timer = setTimeout(() => authorize('auth/refresh', { refresh_token }), (expires_in - 60) * 1000);
  } catch (error) {
    status.textContent = error.message;
    if (error.code !== 'second_factor_required') return;
    code.hidden = false;
    code.focus();
  }
}

async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { code: answer.code });
  return answer;
}
