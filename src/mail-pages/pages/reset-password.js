/** Sets a new password with the token in the fragment, which browsers do not send to servers. */
const TEXTS = {
  en: {
    title: 'Choose a new password',
    password: 'New password',
    hint: 'At least 8 characters. All sessions of the account will be ended.',
    submit: 'Set password',
    done: 'The password was changed. You can sign in with it now.',
    invalid: 'This link was used before, has expired, or is incomplete. Ask for a new mail.',
    guessable: 'This password is easy to guess. Choose another.',
    limited: 'Too many attempts. Wait a minute and try again.',
    failed: 'That did not work. Try again in a moment.',
  },
  zh: {
    title: '设置新密码',
    password: '新密码',
    hint: '至少 8 个字符。该账号的所有会话都会结束。',
    submit: '设置密码',
    done: '密码已更改，现在可以用新密码登录。',
    invalid: '此链接已使用、已过期或不完整。请重新申请邮件。',
    guessable: '此密码容易被猜到，请换一个。',
    limited: '尝试次数过多，请稍等一分钟再试。',
    failed: '操作未成功，请稍后再试。',
  },
};

const language = navigator.language.startsWith('zh') ? 'zh' : 'en';
const texts = TEXTS[language];
const form = document.querySelector('form');
const button = form.querySelector('button');
const error = document.querySelector('#error');
const token = new URLSearchParams(location.hash.slice(1)).get('token');

document.documentElement.lang = language;
document.title = texts.title;
for (const element of document.querySelectorAll('[data-text]'))
  element.textContent = texts[element.dataset.text];
if (token) form.hidden = false;
else error.textContent = texts.invalid;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  error.textContent = '';
  button.disabled = true;
  try {
    const problem = await resetPassword(form.elements.password.value);
    if (problem) error.textContent = explain(problem);
    else finish();
  } catch {
    error.textContent = texts.failed;
  } finally {
    button.disabled = false;
  }
});

/** @returns the problem of the response, or null */
async function resetPassword(password) {
  const response = await fetch('auth/password/reset', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Accept-Language': language },
    body: JSON.stringify({ token, password }),
  });
  return response.ok ? null : response.json();
}

function explain({ code, errors = [] }) {
  if (code === 'rate_limited') return texts.limited;
  const fields = errors.map(({ field }) => field);
  if (fields.includes('token')) return texts.invalid;
  return fields.includes('password') ? texts.guessable : texts.failed;
}

function finish() {
  // Removes the token from the history.
  history.replaceState(null, '', location.pathname);
  form.hidden = true;
  document.querySelector('#done').textContent = texts.done;
}
