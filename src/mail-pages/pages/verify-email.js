/**
 * Verifies an email address with the token in the fragment, which browsers do not send to servers. Waits for a click,
 * because mail scanners open links.
 */
const TEXTS = {
  en: {
    title: 'Confirm your email address',
    submit: 'Confirm the address',
    done: 'The address is confirmed. You can close this page.',
    invalid: 'This link was used before, has expired, or is incomplete. Ask for a new mail.',
    taken: 'Another account has this address by now.',
    limited: 'Too many attempts. Wait a minute and try again.',
    failed: 'That did not work. Try again in a moment.',
  },
  zh: {
    title: '确认您的邮箱地址',
    submit: '确认邮箱地址',
    done: '邮箱地址已确认，可以关闭此页面。',
    invalid: '此链接已使用、已过期或不完整。请重新申请邮件。',
    taken: '此邮箱地址现已被其他账号使用。',
    limited: '尝试次数过多，请稍等一分钟再试。',
    failed: '操作未成功，请稍后再试。',
  },
};
const EXPLANATIONS = { validation_failed: 'invalid', email_taken: 'taken', rate_limited: 'limited' };

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
    const problem = await verifyEmail();
    if (problem) error.textContent = texts[EXPLANATIONS[problem.code] ?? 'failed'];
    else finish();
  } catch {
    error.textContent = texts.failed;
  } finally {
    button.disabled = false;
  }
});

/** @returns the problem of the response, or null */
async function verifyEmail() {
  const response = await fetch('auth/email/verify', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Accept-Language': language },
    body: JSON.stringify({ token }),
  });
  return response.ok ? null : response.json();
}

function finish() {
  // Removes the token from the history.
  history.replaceState(null, '', location.pathname);
  form.hidden = true;
  document.querySelector('#done').textContent = texts.done;
}
