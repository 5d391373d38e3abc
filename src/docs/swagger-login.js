/** Adds a login to Swagger UI, which authorizes its calls and refreshes the access token. */
'use strict';

const form = document.createElement('form');
form.setAttribute('aria-label', 'Log in');
form.style.cssText =
  'display:flex;gap:8px;align-items:center;max-width:1420px;margin:16px auto;padding:0 20px;font:14px sans-serif';
form.innerHTML = `
  <input name="email" type="email" placeholder="Email" aria-label="Email" autocomplete="username" required>
  <input name="password" type="password" placeholder="Password" aria-label="Password" autocomplete="current-password" required>
  <button>Log in and authorize</button>
  <output role="status"></output>`;
document.body.prepend(form);

const [email, password, button, status] = form.children;
let timer;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  await authorize('auth/login', { email: email.value, password: password.value });
  button.disabled = false;
});

/** Refreshes a minute before the access token expires. */
async function authorize(path, body) {
  clearTimeout(timer);
  try {
    const { access_token, refresh_token, expires_in } = await post(path, body);
    window.ui.preauthorizeApiKey('bearer', access_token);
    password.value = '';
    status.textContent = `Calls are authorized as ${email.value}.`;
    timer = setTimeout(() => authorize('auth/refresh', { refresh_token }), (expires_in - 60) * 1000);
  } catch (error) {
    status.textContent = error.message;
  }
}

async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}
